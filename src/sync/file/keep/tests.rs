use super::*;

fn merged(keep: &[&str], theirs: &str, own: &str) -> String {
    let rules = Rules {
        keep: keep.iter().map(|it| (*it).to_owned()).collect(),
        uci: "/etc/config".into(),
        ..Rules::default()
    };
    let merged = merge(&rules, "/etc/config/network", theirs.as_bytes(), Some(own.as_bytes())).unwrap();
    String::from_utf8(merged).unwrap()
}

const THEIRS: &str = "# the network\nconfig interface 'lan'\n\toption device 'br-lan'   # a bridge\n\toption ipaddr '192.168.1.2'\n\n\
    config device\n\toption name 'br-lan'\n\tlist ports 'lan1'\n\tlist ports 'lan2'\n";
const OWN: &str = "config interface lan\n option ipaddr 192.168.1.3\n option device eth0\nconfig device\n list ports 'p4'\n";

#[test]
fn option_is_this_routers_own_and_everything_else_is_the_sources_word_for_word() {
    assert_eq!(
        merged(&["network.lan.ipaddr"], THEIRS, OWN),
        THEIRS.replace("192.168.1.2", "192.168.1.3"),
        "comments, blanks and order stay"
    );
}

#[test]
fn nothing_is_touched_without_an_option_to_keep_in_this_file() {
    assert_eq!(merged(&[], THEIRS, OWN), THEIRS);
    assert_eq!(merged(&["dhcp.lan.ipaddr", "network.wan.ipaddr"], THEIRS, OWN), THEIRS);
    assert_eq!(merged(&["network.lan.ipaddr"], THEIRS, THEIRS), THEIRS);
    // Whatever it is, if nothing of it is kept.
    let rules =
        Rules { keep: vec!["network.lan.ipaddr".into()], uci: "/etc/config".into(), ..Rules::default() };
    assert_eq!(merge(&rules, "/etc/passwd", b"\0'", None), Ok(b"\0'".to_vec()));
}

#[test]
fn list_and_option_of_an_unnamed_section_are_kept_too() {
    let text = merged(&["network.@device[0].ports", "network.@device[-1].name"], THEIRS, OWN);
    assert_eq!(text.matches("list ports").count(), 1, "{text}");
    assert!(text.contains("\tlist ports 'p4'\n") && !text.contains("name 'br-lan'"), "{text}");
}

#[test]
fn option_that_only_one_of_them_has_stays_or_goes() {
    let own = "config interface 'lan'\n\toption ip6addr 'fd00::3'\n";
    let text = merged(&["network.lan.ip6addr", "network.lan.ipaddr"], THEIRS, own);
    assert!(text.contains("\toption ip6addr 'fd00::3'\n") && !text.contains("ipaddr '192"), "{text}");
    // A router that has no such file yet has no address of the other one either.
    let text = merged(&["network.lan.ipaddr"], THEIRS, "");
    assert!(!text.contains("192.168.1.2"), "{text}");
}

#[test]
fn whole_section_stays_comes_back_or_stays_away() {
    let own =
        "config interface 'lan'\n\toption a 'b'\nconfig interface 'wg0'\n\toption private_key 'x'\\''y'\n";
    let text = merged(&["network.lan", "network.wg0"], THEIRS, own);
    assert!(text.contains("option a 'b'") && !text.contains("192.168.1.2"), "{text}");
    assert!(text.contains("config interface 'wg0'\n\toption private_key 'x'\\''y'\n"), "{text}");
    let text = merged(&["network.lan"], THEIRS, "config other 'x'\n");
    assert!(!text.contains("interface"), "{text}");
}

#[test]
fn odd_texts_are_written_anew_and_mean_what_they_should() {
    for theirs in [
        "config interface 'lan'\n\toption ipaddr 'a\nb'\n\toption x 'y'\n",
        "config interface 'lan'\n\toption ipaddr 'a' ; option x 'y'\n",
        "config interface 'lan'\n\toption ipaddr 'a'\n\toption ipaddr 'b'\n\toption x 'y'",
        "config interface 'lan'\noption x 'y'\nconfig interface 'lan'\noption ipaddr 'z'\n",
        "config interface 'lan'\n\toption x \\\ny\n",
    ] {
        let text = merged(&["network.lan.ipaddr"], theirs, OWN);
        let tree = uci::parse(text.as_bytes()).unwrap();
        let [section] = tree.sections.as_slice() else { panic!("{text}") };
        let value =
            |name| section.get(name).map(|it| String::from_utf8_lossy(&it.items()[0].bytes).into_owned());
        assert_eq!(
            (value("ipaddr").as_deref(), value("x").as_deref()),
            (Some("192.168.1.3"), Some("y")),
            "{text}"
        );
    }
}

#[test]
fn file_that_is_none_is_refused_if_something_of_it_is_kept() {
    let rules =
        Rules { keep: vec!["network.lan.ipaddr".into()], uci: "/etc/config".into(), ..Rules::default() };
    let path = "/etc/config/network";
    assert!(merge(&rules, path, b"option", Some(OWN.as_bytes())).is_err());
    assert!(
        merge(&rules, path, THEIRS.as_bytes(), Some(b"option")).unwrap_err().contains("own can't be read")
    );
}

proptest::proptest! {
    #[test]
    fn what_is_made_is_read_as_what_was_meant(value in "[^\0]{1,30}", other in "[ -~\n]{1,30}") {
        let file = |value: &str| format!("config interface 'lan'\n\toption ipaddr {}\n\toption x '1'\n", uci::quote(value));
        let text = merged(&["network.lan.ipaddr"], &file(&other), &file(&value));
        let tree = uci::parse(text.as_bytes()).unwrap();
        proptest::prop_assert_eq!(&tree.sections[0].get("ipaddr").unwrap().items()[0].bytes, value.as_bytes());
    }
}
