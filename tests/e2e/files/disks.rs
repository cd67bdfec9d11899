//! Disks that are full, can't be written, or do not answer: shown, and nothing else is late.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use nix::mount::{self, MntFlags, MsFlags};
use nix::sched::{CloneFlags, setns, unshare};

use crate::lab::topology::Segment;

use super::*;

fn run_mount(arguments: &[&str], place: &Path) {
    let status = Command::new("mount").args(arguments).arg(place).status().unwrap();
    assert!(status.success(), "mount {arguments:?} {}", place.display());
}

#[test]
fn full_and_read_only_disks_are_shown_on_both_and_are_no_more_when_they_are_not() {
    scenario(|lab| {
        // What the daemon gets of the disk is there before it starts.
        let place = lab.dir.join("B.site/etc/app");
        fs::create_dir_all(&place).unwrap();
        run_mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], &place);
        let (a, b) = pair(lab, "");
        a.write("etc/app/small", "old");
        b.until_content("etc/app/small", "old");

        a.write("etc/app/large", &"x".repeat(200_000));
        a.write("etc/config/dhcp", "config dnsmasq\n");
        b.until_content("etc/config/dhcp", "config dnsmasq\n");
        for router in [&a, &b] {
            until("it is shown", LIMIT, || {
                router.state("etc/app") == "failed"
                    && router.row("etc/app").to_string().contains("No space left")
            });
        }
        assert!(!b.file("etc/app/large").exists() && b.read("etc/app/small") == "old");
        let left: Vec<_> = fs::read_dir(&place).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left, ["small"], "nothing half-written is left");
        fs::remove_file(a.file("etc/app/large")).unwrap();
        b.until_state("etc/app", "in_sync");

        run_mount(&["-o", "remount,ro"], &place);
        a.write("etc/app/small", "new");
        until("it is shown", LIMIT, || a.row("etc/app").to_string().contains("Read-only"));
        assert_eq!(b.read("etc/app/small"), "old");
        assert_eq!((a.gwha.role(), b.gwha.role()), ("master".into(), "backup".into()));
        run_mount(&["-o", "remount,rw"], &place);
        b.until_content("etc/app/small", "new");
        until("nobody warns", 2 * LIMIT, || !a.warns("files_failed") && !b.warns("files_failed"));
    });
}

/// Mounts, where the process `pid` sees `place`, a file system that answers nothing at all, for this long.
fn hang(pid: i32, place: &str, period: Duration) -> JoinHandle<()> {
    let target = place.to_owned();
    thread::spawn(move || {
        let namespace = File::open(format!("/proc/{pid}/ns/mnt")).unwrap();
        unshare(CloneFlags::CLONE_FS).unwrap();
        // The device is looked up before, for it may be elsewhere there.
        let fuse = OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
        setns(namespace, CloneFlags::CLONE_NEWNS).unwrap();
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", fuse.as_raw_fd());
        let (none, options) = (MsFlags::empty(), Some(options.as_str()));
        mount::mount(Some("hangs"), target.as_str(), Some("fuse"), none, options).unwrap();
        thread::sleep(period);
        // Whoever waits is told that nobody is there.
        drop(fuse);
        let _ = mount::umount2(target.as_str(), MntFlags::MNT_DETACH);
    })
}

#[test]
fn disk_that_hangs_for_seconds_delays_no_advert_and_is_shown() {
    scenario(|lab| {
        let (a, b) = pair(lab, "");
        for router in [&a, &b] {
            fs::create_dir_all(router.file("etc/app/usb")).unwrap();
        }
        until("B follows", LIMIT, || b.state("etc/app") == "in_sync");
        // The daemon itself: what was started is a shell that has become it.
        let pids: Vec<i32> = [&a, &b].iter().map(|router| router.gwha.daemon.pid().as_raw()).collect();
        let start = Instant::now();
        let hanging: Vec<_> =
            pids.iter().map(|pid| hang(*pid, &format!("{SITE}/etc/app/usb"), ms(6000))).collect();
        thread::sleep(ms(200));
        // Something to look at.
        for router in [&a, &b] {
            fs::write(router.file("etc/app/touched"), "x").unwrap();
        }
        for router in [&a, &b] {
            until("it is shown", ms(5500), || router.warns("files_stalled"));
            assert_eq!(router.state("etc/app"), "failed");
        }
        let looked = Instant::now();
        assert!(a.gwha.status().is_some() && looked.elapsed() < ms(1000), "the daemon answers");
        for thread in hanging {
            thread.join().unwrap();
        }
        let adverts = lab.capture.adverts(Host::A, Segment::Lan, start);
        let gaps = adverts.windows(2).map(|pair| pair[1].0 - pair[0].0);
        let longest = gaps.max().unwrap();
        assert!(adverts.len() >= 25 && longest < ms(400), "{} adverts, {longest:?} apart", adverts.len());
        assert_eq!((a.gwha.role(), b.gwha.role()), ("master".into(), "backup".into()));
        for router in [&a, &b] {
            until("it is over", 2 * LIMIT, || {
                !router.warns("files_stalled") && router.state("etc/app") != "failed"
            });
        }
        a.write("etc/app/after", "y");
        b.until_content("etc/app/after", "y");
    });
}
