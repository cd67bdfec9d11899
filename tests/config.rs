//! Configurations: `tests/config/good` give what stands beside them, `tests/config/broken` are rejected
//! with every error at once. `UPDATE_EXPECT=1` rewrites the expectations. Damaged ones, and random ones
//! made of what the schema has, are rejected with a reason or give a configuration that is valid.

mod expect;

use std::env;
use std::fmt::Write;
use std::fs;
use std::net::IpAddr;

use gwha::config::model::{Base, Config, GroupId, InstanceId, Routers, SyncPath, TrackKind, Vip};
use gwha::config::schema::{SECTIONS, Shape};
use gwha::config::{self, Loaded, limits};
use gwha::wire::types::{Family, Version};

#[test]
fn good_files_give_the_expected_configuration() {
    expect::each("tests/config/good", "uci", "expect", |file, bytes| match config::load(file, bytes) {
        Ok(loaded) => show(&loaded),
        Err(rejected) => format!("REJECTED\n{rejected}"),
    });
}

#[test]
fn broken_files_are_rejected_with_every_error() {
    expect::each("tests/config/broken", "uci", "errors", |file, bytes| match config::load(file, bytes) {
        Ok(_) => "ACCEPTED\n".into(),
        Err(rejected) => rejected.to_string(),
    });
}

/// The expectation files themselves: nothing good is rejected, nothing broken accepted, nothing rejected
/// without a reason that names a line, and no password shown.
#[test]
fn the_expectations_say_what_they_should() {
    if env::var_os("UPDATE_EXPECT").is_some() {
        return; // They are being written.
    }
    for path in expect::files("tests/config/good", "expect") {
        assert!(!fs::read_to_string(&path).unwrap().starts_with("REJECTED"), "{}", path.display());
    }
    let broken = expect::files("tests/config/broken", "errors");
    assert!(broken.len() >= 45);
    for path in broken {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.lines().any(|line| line.starts_with("error: tests/config/broken/")),
            "{}",
            path.display()
        );
        assert!(!text.contains("please report") && !text.contains("hunter"), "{}", path.display());
    }
}

#[test]
fn the_file_that_is_installed_is_good_and_switched_off() {
    let loaded = config::load("gwha", &fs::read("files/etc/config/gwha").unwrap()).unwrap();

    assert!(!loaded.config.enabled && loaded.warnings.is_empty());
}

#[test]
fn the_examples_of_the_readme_work_as_they_stand() {
    let readme = fs::read_to_string("README.md").unwrap();
    let blocks = readme.split("\n\n    config gwha").skip(1);
    let mut count = 0;
    for block in blocks {
        // An example ends at the first line that is neither blank nor indented.
        let lines = block
            .lines()
            .take_while(|line| line.is_empty() || line.starts_with("    ") || line.starts_with(' '));
        let text = lines.fold("config gwha".to_owned(), |text, line| text + line + "\n");
        let loaded =
            config::load("README", text.as_bytes()).unwrap_or_else(|rejected| panic!("{rejected}\n{text}"));
        assert!(loaded.warnings.is_empty() && !loaded.config.instances.is_empty(), "{text}");
        count += 1;
    }
    assert!(count > 0);
}

/// `docs/OPTIONS.md` is written by this test, with `UPDATE_EXPECT=1`.
#[test]
fn the_reference_of_options_is_what_the_schema_says() {
    let mut text = String::from(
        "# Options of `/etc/config/gwha`\n\nMade from `src/config/schema.rs` by `UPDATE_EXPECT=1 cargo test --test config`.\nWhat follows from a role is told in [ACTIONS.md](ACTIONS.md).\n",
    );
    for section in SECTIONS {
        writeln!(text, "\n## config {}\n\n{}.\n", section.name, section.kind.doc()).unwrap();
        writeln!(text, "| | what it does | allowed | default |\n|---|---|---|---|").unwrap();
        for option in section.options() {
            let keyword = match option.shape() {
                Shape::One => "option",
                Shape::Many(_) => "list",
                Shape::OneOrMany(_) => "option or list",
            };
            let default = option.default().map_or(String::new(), |default| format!("`{default}`"));
            let (name, doc, allowed) = (option.name(), config::schema::doc(option), option.allowed());
            writeln!(text, "| {keyword} `{name}` | {doc} | {allowed} | {default} |").unwrap();
        }
    }
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write("docs/OPTIONS.md", &text).unwrap();
    }
    assert!(
        fs::read_to_string("docs/OPTIONS.md").unwrap() == text,
        "docs/OPTIONS.md: UPDATE_EXPECT=1 rewrites it"
    );
}

#[test]
fn every_prefix_is_valid_or_rejected_with_a_reason() {
    for (_, bytes) in corpus() {
        for length in 0..bytes.len().min(3000) {
            check(&bytes[..length]);
        }
    }
}

#[test]
fn mutated_files_are_valid_or_rejected_with_a_reason() {
    let mut random = Random(11);
    let (mut taken, mut rejected) = (0, 0);
    let corpus = corpus();
    let lines: Vec<&[u8]> =
        corpus.iter().flat_map(|(_, bytes)| bytes.split_inclusive(|byte| *byte == b'\n')).collect();
    for (path, bytes) in corpus.iter().filter(|(_, bytes)| bytes.len() < 3000) {
        for _ in 0..if path.contains("/good/") { 1000 } else { 50 } {
            match check(&mutated(bytes, &lines, &mut random)) {
                Verdict::Taken => taken += 1,
                Verdict::Rejected => rejected += 1,
            }
        }
    }
    assert!(taken > 1000 && rejected > 1000, "{taken} taken, {rejected} rejected");
}

/// Sections that are valid alone, with some more options of likely values, so that all options and all
/// sections meet.
#[test]
fn random_sections_are_valid_or_rejected_with_a_reason() {
    let mut random = Random(12);
    let (mut taken, mut rejected) = (0, 0);
    for _ in 0..20_000 {
        let mut text = String::new();
        for _ in 0..=random.below(6) {
            let (kind, section) = FRAGMENTS[random.below(FRAGMENTS.len())];
            text.push_str(section);
            for _ in 0..random.below(6).saturating_sub(2) {
                text.push_str(&random_option(kind, &mut random));
            }
        }
        match check(text.as_bytes()) {
            Verdict::Taken => taken += 1,
            Verdict::Rejected => rejected += 1,
        }
    }
    assert!(taken > 1000 && rejected > 1000, "{taken} taken, {rejected} rejected");
}

const FRAGMENTS: &[(&str, &str)] = &[
    ("gwha", "config gwha 'main'\n"),
    (
        "instance",
        "config instance 'lan'\noption interface 'lan'\noption vrid '51'\nlist router '192.168.1.2'\n\
         list router '192.168.1.3'\nlist vip '192.168.1.1/24'\n",
    ),
    (
        "instance",
        "config instance 'iot'\noption interface 'iot'\noption vrid '51'\nlist router '192.168.2.2'\n\
         list router '192.168.2.3'\nlist vip '192.168.2.1/24'\n",
    ),
    (
        "instance",
        "config instance 'six'\noption interface 'lan'\noption vrid '51'\nlist router 'fe80::2'\n\
         list router 'fe80::3'\nlist vip 'fe80::1/64'\n",
    ),
    (
        "instance",
        "config instance 'wan'\noption device 'wan'\noption vrid '1'\noption source '10.0.0.2'\n\
         list peer '10.0.0.3'\nlist vip '10.0.0.1'\noption priority '100'\n",
    ),
    ("group", "config group 'g'\nlist instance 'lan'\nlist instance 'iot'\nlist track 'a'\n"),
    ("group", "config group 'h'\nlist instance 'six'\n"),
    ("track", "config track 'a'\nlist target '192.0.2.1'\noption interface 'wan'\n"),
    ("track", "config track 'b'\noption type 'tcp'\nlist target '192.0.2.1:53'\n"),
    ("sync", "config sync 's'\noption instance 'lan'\n"),
    ("sync", "config sync 's'\noption device 'eth2'\nlist router '10.9.0.1'\nlist router '10.9.0.2'\n"),
];

fn random_option(kind: &str, random: &mut Random) -> String {
    const VALUES: &[&str] = &[
        "0",
        "1",
        "2",
        "3",
        "10",
        "51",
        "90",
        "100",
        "255",
        "1000",
        "-30",
        "fault",
        "lan",
        "iot",
        "wan",
        "six",
        "a",
        "b",
        "192.168.1.1/24",
        "192.168.1.2",
        "192.168.1.3",
        "192.168.1.4",
        "192.168.2.2",
        "192.168.2.3",
        "10.0.0.1/32",
        "fe80::1/64",
        "fe80::3",
        "fe80::4",
        "2001:db8::1/64",
        "ping",
        "arp",
        "tcp",
        "link",
        "script",
        "192.0.2.1",
        "192.0.2.1:53",
        "unicast",
        "multicast",
        "/etc/gwha/key",
        "/etc/config/dhcp",
        "dnsmasq",
        "network.lan.ipaddr",
    ];
    let section = SECTIONS.iter().find(|section| section.name == kind).expect("a section type");
    let options: Vec<_> = section.options().collect();
    let option = options[random.below(options.len())];
    let likely: Vec<_> = VALUES.iter().filter(|value| option.accepts(value)).collect();
    let keyword = if option.shape() == Shape::One { "option" } else { "list" };
    let value = if likely.is_empty() { "x" } else { likely[random.below(likely.len())] };
    format!("{keyword} {} '{value}'\n", option.name())
}

/// The largest file that the reader takes, full of errors or of sections, takes a bounded time.
#[test]
fn the_largest_files_are_judged_in_a_bounded_time() {
    let fill = |line: &str| line.repeat(gwha::uci::limits::FILE_BYTES_MAX / line.len() - 1);
    let lan = "config instance 'lan'\n";
    let many_instances =
        (0..8000).fold(String::new(), |text, n| text + &format!("config instance i{n}\nlist vip 10.0.0.1\n"));
    let names = (0..500).fold(lan.to_owned(), |text, n| text + &format!("option interfac{n} 1\n"));
    for shape in [
        lan.to_owned() + &fill("list vip 1.2.3.4\n"),
        fill("config x\n"),
        many_instances,
        names,
        fill("foo\n"),
    ] {
        let start = std::time::Instant::now();
        let _ = config::load("gwha", shape.as_bytes());
        assert!(start.elapsed().as_secs() < 5, "{:.40} took {:?}", shape, start.elapsed());
    }
}

fn show(loaded: &Loaded) -> String {
    let mut text = String::new();
    for warning in &loaded.warnings {
        writeln!(text, "warning: {warning}").unwrap();
    }
    writeln!(text, "{:#?}", loaded.config).unwrap();
    text
}

fn corpus() -> Vec<(String, Vec<u8>)> {
    let good = expect::files("tests/config/good", "uci");
    let broken = expect::files("tests/config/broken", "uci");
    good.iter().chain(&broken).map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

enum Verdict {
    Taken,
    Rejected,
}

/// A configuration that is taken is valid for every node; one that is not has a reason that names a line.
fn check(bytes: &[u8]) -> Verdict {
    let text = || bytes.escape_ascii().to_string().replace("\\n", "\n");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    match config::load("gwha", bytes) {
        Ok(loaded) => {
            let nodes: [&[&str]; 3] = [&[], &["192.168.1.2"], &["192.168.1.3", "192.168.2.3"]];
            for own in nodes {
                let own: Vec<IpAddr> = own.iter().map(|own| own.parse().unwrap()).collect();
                if let Ok(config) = loaded.for_node(&own) {
                    assert_valid(&config, &text());
                }
            }
            assert_valid(&loaded.config, &text());
            Verdict::Taken
        }
        Err(rejected) => {
            assert!(!rejected.errors.is_empty() && rejected.errors.len() <= limits::FINDINGS_MAX);
            for finding in rejected.errors.iter().chain(&rejected.warnings) {
                assert!((1..=lines).contains(&(finding.at.line as usize)), "{finding}\n{}", text());
                assert!(finding.problem.code() != "unexplained", "{}", text());
                assert!(!finding.to_string().contains(['\n', '\x1b']), "{finding}");
            }
            Verdict::Rejected
        }
    }
}

/// What the engine relies on, written down a second time.
fn assert_valid(config: &Config, text: &str) {
    for (index, instance) in config.instances.iter().enumerate() {
        let id = InstanceId(index as u16);
        assert!(instance.link.index() < config.links.len(), "{text}");
        assert!(config.groups[instance.group.index()].instances.contains(&id), "{text}");
        assert!(
            !instance.vips.is_empty() && instance.vips.iter().all(|vip| is_of(vip, instance.family)),
            "{text}"
        );
        assert!(instance.family == Family::V4 || first_is_link_local(&instance.vips), "{text}");
        assert!(instance.family == Family::V4 || instance.version == Version::V3, "{text}");
        if let Routers::Listed(all) = &instance.routers {
            assert!(
                (2..=8).contains(&all.len()) && !instance.vips.iter().any(|vip| all.contains(&vip.address)),
                "{text}"
            );
        }
        for other in &config.instances[..index] {
            let same_link = (other.link, other.family) == (instance.link, instance.family);
            assert!(!(same_link && other.vrid == instance.vrid) && other.name != instance.name, "{text}");
        }
    }
    for (index, group) in config.groups.iter().enumerate() {
        assert!(!group.instances.is_empty(), "{text}");
        for member in &group.instances {
            let member = &config.instances[member.index()];
            assert_eq!(member.group, GroupId(index as u16), "{text}");
            match (&member.routers, &group.base) {
                (Routers::Listed(all), Base::ByPlace(ranks)) => assert_eq!(all.len(), ranks.len(), "{text}"),
                (Routers::Listed(_), Base::Own(own)) => assert!((16..=254).contains(own), "{text}"),
                (Routers::Peers { .. }, Base::Own(own)) => assert!(*own >= 16, "{text}"),
                (Routers::Peers { .. }, Base::ByPlace(_)) => panic!("ranks without places\n{text}"),
            }
        }
        let rank = |rank: &u8| (16..=254).contains(rank);
        assert!(
            matches!(&group.base, Base::Own(_))
                || matches!(&group.base, Base::ByPlace(all) if all.iter().all(rank))
        );
        for used in &group.tracks {
            assert!(used.track.index() < config.tracks.len() && used.places.0 != 0, "{text}");
        }
    }
    for track in &config.tracks {
        assert!(track.timeout <= track.interval && track.fall > 0 && track.rise > 0, "{text}");
        assert!((1..=track.kind.targets()).contains(&usize::from(track.need)), "{text}");
        assert!(
            track.link.is_some() || !matches!(track.kind, TrackKind::Arp { .. } | TrackKind::Link),
            "{text}"
        );
    }
    if let Some(SyncPath::Instance(id)) = config.sync.as_ref().map(|sync| &sync.path) {
        assert!(id.index() < config.instances.len(), "{text}");
    }
}

fn is_of(vip: &Vip, family: Family) -> bool {
    vip.address.is_ipv4() == (family == Family::V4)
}

fn first_is_link_local(vips: &[Vip]) -> bool {
    matches!(vips[0].address, IpAddr::V6(first) if first.is_unicast_link_local())
}

fn mutated(bytes: &[u8], lines: &[&[u8]], random: &mut Random) -> Vec<u8> {
    const SPECIAL: &[u8] = b"'\"\\\n;# \t/.:0123456789-\0\xff";
    let mut mutant = bytes.to_vec();
    for _ in 0..=random.below(3) {
        if mutant.is_empty() {
            break;
        }
        let at = random.below(mutant.len());
        match random.below(6) {
            0 => mutant.truncate(at),
            1 => mutant[at] ^= 1 << random.below(8),
            2 => mutant[at] = SPECIAL[random.below(SPECIAL.len())],
            3 => drop(mutant.remove(at)),
            _ => {
                // Another file's line, where a line begins.
                let start =
                    mutant[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
                mutant.splice(start..start, lines[random.below(lines.len())].iter().copied());
            }
        }
    }
    mutant
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }
}
