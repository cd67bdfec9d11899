//! The sets of nftables that `gwha::netlink` fills, against the running kernel and `nft` itself.

#[macro_use]
#[allow(dead_code, reason = "other tests use all of it")]
mod namespace;

use core::time::Duration;
use std::process::Command;

use gwha::netlink::{SetContent, Socket};

fn nft(arguments: &[&str]) -> String {
    let output = Command::new("nft")
        .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
        .args(arguments)
        .output()
        .expect("`nft` is missing; install it with: apt-get install nftables");
    assert!(output.status.success(), "nft {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const TABLE: &str =
    "table inet gwha_t { set serving { type ifname; }; set quiet { type ifname; flags timeout; }; }";

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

namespace_tests! {
    a_set_holds_what_it_is_filled_with_and_nothing_else => {
        nft(&[TABLE]);
        let mut filter = Socket::open_filter().expect("a socket");
        let mut fill = |set, devices: &[String], timeout| {
            filter.fill(&SetContent { table: "gwha_t", set, devices, timeout }).expect("it is filled");
        };
        for devices in [names(&["br-lan", "a23456789012345"]), names(&["br-lan"]), names(&[]), names(&["wan"])] {
            // Again is no error either.
            fill("serving", &devices, None);
            fill("serving", &devices, None);
            let shown = nft(&["list", "set", "inet", "gwha_t", "serving"]);
            assert_eq!(shown.matches('"').count(), 2 * devices.len(), "{shown}");
            assert!(devices.iter().all(|device| shown.contains(&format!("\"{device}\""))), "{shown}");
        }
        fill("quiet", &names(&["wan"]), Some(Duration::from_millis(5500)));
        assert!(nft(&["list", "set", "inet", "gwha_t", "quiet"]).contains("timeout 5s500ms"));
    }

    a_table_or_set_that_is_not_there_is_told_from_one_that_is => {
        nft(&[TABLE]);
        let mut filter = Socket::open_filter().expect("a socket");
        assert_eq!(filter.has_table("gwha_t"), Ok(true));
        assert_eq!(filter.has_table("gwha_u"), Ok(false));
        let mut fill = |table, set| {
            let devices = names(&["lan"]);
            filter.fill(&SetContent { table, set, devices: &devices, timeout: None }).map_err(|error| error.errno())
        };
        assert_eq!(fill("gwha_u", "serving"), Err(Some(nix::errno::Errno::ENOENT)));
        assert_eq!(fill("gwha_t", "nonesuch"), Err(Some(nix::errno::Errno::ENOENT)));
        assert_eq!(fill("gwha_t", "serving"), Ok(()));
    }
}
