use super::*;

fn parsed(line: &str) -> Result<Invocation, String> {
    parse(&line.split_whitespace().collect::<Vec<_>>())
}

fn command(line: &str) -> Command {
    parsed(line).unwrap_or_else(|error| panic!("{line}: {error}")).command
}

#[test]
fn every_command_of_the_contract_is_understood() {
    let cases = [
        ("run", Command::Run { stderr: Stderr::IfTerminal }),
        ("run --stderr", Command::Run { stderr: Stderr::Always }),
        ("status", Command::Status { form: Form::Text }),
        ("status --json", Command::Status { form: Form::Json }),
        ("import /x", Command::Import { file: "/x".into() }),
        ("check", Command::Check { scope: Scope::File, file: None }),
        ("check --system", Command::Check { scope: Scope::System, file: None }),
        ("check /tmp/x", Command::Check { scope: Scope::File, file: Some("/tmp/x".into()) }),
        ("switch", Command::Switch { to: None }),
        ("switch --to 192.0.2.1", Command::Switch { to: Some("192.0.2.1".into()) }),
        ("switch --to=peer", Command::Switch { to: Some("peer".into()) }),
        ("maintenance on", Command::Maintenance { on: true }),
        ("maintenance off", Command::Maintenance { on: false }),
        ("sync", Command::Sync),
        ("keygen", Command::Keygen { file: "/etc/gwha/key".into() }),
        ("keygen /tmp/key", Command::Keygen { file: "/tmp/key".into() }),
        ("pair", Command::Pair(Request::default())),
        (
            "pair --vip 192.0.2.1/24 --interface lan --minutes 5",
            Command::Pair(Request {
                vip: Some(([192, 0, 2, 1].into(), Some(24))),
                interface: Some("lan".into()),
                minutes: Some(5),
                ..Request::default()
            }),
        ),
        (
            "pair 192.0.2.2 k7qm-aaaa bbbb --force",
            Command::Pair(Request {
                join: Some(([192, 0, 2, 2].into(), "k7qm-aaaabbbb".into())),
                force: true,
                ..Request::default()
            }),
        ),
        ("history", Command::History { form: Form::Text, limit: None }),
        ("history --limit 3", Command::History { form: Form::Text, limit: Some(3) }),
        ("leases", Command::Leases { form: Form::Text }),
        ("reload", Command::Reload),
        ("release", Command::Release),
        ("--version", Command::Version),
        ("--help", Command::Help),
        ("status --help", Command::Help),
        ("-h", Command::Help),
        ("-V", Command::Version),
        ("history --limit 3 --limit=4", Command::History { form: Form::Text, limit: Some(4) }),
    ];
    for (line, expected) in cases {
        assert_eq!(command(line), expected, "{line}");
    }
}

#[test]
fn options_stand_before_or_behind_the_command() {
    for line in ["--config /c --run-dir /r status", "status --config=/c --run-dir /r"] {
        let invocation = parsed(line).unwrap();
        assert_eq!(invocation.config, PathBuf::from("/c"));
        assert_eq!(invocation.run_dir, PathBuf::from("/r"));
    }
    let invocation = parsed("status").unwrap();
    assert_eq!(invocation.config, PathBuf::from("/etc/config/gwha"));
    assert_eq!(invocation.run_dir, PathBuf::from("/var/run/gwha"));
}

#[test]
fn run_dir_of_its_own_is_away_from_the_bus_unless_one_is_named() {
    let usual = SOCKETS.map(PathBuf::from).to_vec();
    let cases = [
        ("status", usual, false),
        ("status --run-dir /r", vec![], false),
        ("status --ubus /u", vec!["/u".into()], true),
        ("run --run-dir /r --ubus=/u", vec!["/u".into()], false),
    ];
    for (line, ubus, only_ubus) in cases {
        let invocation = parsed(line).unwrap();
        assert_eq!((invocation.ubus, invocation.only_ubus), (ubus, only_ubus), "{line}");
    }
}

#[test]
fn nonsense_is_refused_and_not_ignored() {
    let nonsense = [
        "",
        "stauts",
        "maintenance",
        "maintenance maybe",
        "status now",
        "switch --json",
        "status --to peer",
        "run --limit 3",
        "reload --stderr",
        "reload --system",
        "history --limit many",
        "status --colour",
        "switch --to",
        "pair 192.0.2.2",
        "pair router k7qm",
        "pair 192.0.2.2 k7qm --vip 192.0.2.1",
        "pair --vip 192.0.2.1/many",
        "pair --vip 192.0.2.1/33",
        "pair --vip 192.0.2.1/0",
        "status --force",
        "status --json=no",
        "status -x",
        "status -",
    ];
    for line in nonsense {
        assert!(parsed(line).is_err(), "{line}");
    }
}

#[test]
fn refusal_says_what_was_typed_and_what_is_expected() {
    let cases = [
        ("", "which command?"),
        ("stauts", "no such command: 'stauts'"),
        ("status --colour", "no such option: '--colour'"),
        ("status --json=no", "--json takes no value"),
        ("switch --to", "--to needs a value"),
        ("status now", "status: 'now' means nothing here"),
        ("switch --json", "switch: '--json' means nothing here"),
        ("maintenance maybe", "maintenance: `on` or `off`?"),
        ("history --limit many", "--limit: 'many' is no number from 1 to 4294967295"),
        ("history --limit 0", "--limit: '0' is no number from 1 to 4294967295"),
        ("pair --minutes -1", "--minutes: '-1' is no number from 1 to 4294967295"),
        ("pair --listen lan", "--listen: 'lan' is no IPv4 address, such as 192.168.1.2"),
        (
            "pair --vip lan",
            "--vip: 'lan' is neither an IPv4 address nor ADDRESS/LENGTH, such as 192.168.1.1/24",
        ),
        ("pair router k7qm", "pair: the line has the other router's IPv4 address and a code"),
        ("import", "import: which keepalived.conf?"),
    ];
    for (line, expected) in cases {
        assert_eq!(parsed(line).unwrap_err(), expected, "{line}");
    }
}
