use super::super::Meta;
use super::*;

fn rules() -> Rules {
    Rules {
        roots: vec!["/etc/app".into(), "/etc/hosts".into(), "/etc/config/gwha".into()],
        own: "/etc/config/gwha".into(),
        uci: "/etc/config".into(),
        ..Rules::default()
    }
}

fn file(path: &str, content: u8) -> Entry {
    Entry { path: path.into(), meta: Meta::default(), kind: Kind::File { hash: [content; 32], size: 1 } }
}

fn dir(path: &str) -> Entry {
    Entry { path: path.into(), meta: Meta::default(), kind: Kind::Dir }
}

fn held(path: &str) -> Entry {
    Entry { path: path.into(), meta: Meta::default(), kind: Kind::Held("a symbolic link".into()) }
}

/// The steps in words, with what is refused and what waits.
fn planned(wanted: &[Entry], found: &[Entry]) -> Vec<String> {
    let plan = plan(wanted, found, &Settled::new(), &rules(), &|_| true);
    let word = |step: &Step| match step.act {
        Act::Remove => format!("remove {}", step.entry.path),
        Act::MakeDir => format!("make {}", step.entry.path),
        Act::Adjust => format!("adjust {}", step.entry.path),
        Act::Fetch => format!("fetch {}", step.entry.path),
    };
    let refused = plan.refused.iter().map(|(path, _)| format!("refuse {path}"));
    let waiting = plan.waiting.iter().map(|(path, _)| format!("wait {path}"));
    plan.steps.iter().map(word).chain(refused).chain(waiting).collect()
}

#[test]
fn what_lacks_is_fetched_what_differs_is_fetched_and_what_is_too_much_is_removed() {
    let wanted = [dir("/etc/app"), file("/etc/app/a", 1), file("/etc/app/b", 2), file("/etc/hosts", 3)];
    let found = [dir("/etc/app"), file("/etc/app/b", 9), file("/etc/app/c", 4), file("/etc/hosts", 3)];
    assert_eq!(planned(&wanted, &found), ["remove /etc/app/c", "fetch /etc/app/a", "fetch /etc/app/b"]);
    assert_eq!(planned(&wanted, &wanted), [""; 0]);
}

#[test]
fn what_the_source_does_not_list_at_all_is_left_alone_and_waits() {
    let found = [dir("/etc/app"), file("/etc/app/a", 1), file("/etc/hosts", 3)];
    let plan =
        plan(&[dir("/etc/app")], &found, &Settled::new(), &rules(), &|path| is_within(path, "/etc/app"));
    assert_eq!(plan.steps, [step(Act::Remove, &found[1])]);
    let waiting: Vec<_> = plan.waiting.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(waiting, ["/etc/hosts", "/etc/config/gwha"]);
}

#[test]
fn directory_is_made_before_what_is_in_it_and_emptied_before_it_is_removed() {
    let all = [dir("/etc/app"), dir("/etc/app/d"), file("/etc/app/d/x", 1), file("/etc/app/d-e", 1)];
    let mut sorted = all.clone();
    sorted.sort_by(|one, other| one.path.cmp(&other.path));
    assert_eq!(
        planned(&sorted, &[]),
        ["make /etc/app", "make /etc/app/d", "fetch /etc/app/d-e", "fetch /etc/app/d/x"]
    );
    let order = planned(&sorted[..1], &sorted);
    assert_eq!(order, ["remove /etc/app/d/x", "remove /etc/app/d-e", "remove /etc/app/d"]);
}

#[test]
fn file_and_directory_take_each_others_place() {
    assert_eq!(
        planned(&[file("/etc/app", 1)], &[dir("/etc/app"), file("/etc/app/x", 1)]),
        ["remove /etc/app/x", "remove /etc/app", "fetch /etc/app"]
    );
    assert_eq!(planned(&[dir("/etc/app")], &[file("/etc/app", 1)]), ["remove /etc/app", "make /etc/app"]);
}

#[test]
fn listed_directory_that_the_source_does_not_have_at_all_is_left_alone_and_a_listed_file_is_removed() {
    let found = [dir("/etc/app"), file("/etc/app/x", 1), file("/etc/hosts", 1)];
    assert_eq!(planned(&[], &found), ["remove /etc/hosts"]);
    assert_eq!(planned(&[], &[file("/etc/config/gwha", 1)]), ["refuse /etc/config/gwha"]);
}

#[test]
fn what_is_held_on_either_side_is_left_alone_with_all_below_it() {
    let found = [dir("/etc/app"), dir("/etc/app/d"), file("/etc/app/d/x", 1)];
    assert_eq!(planned(&[dir("/etc/app"), held("/etc/app/d")], &found), ["wait /etc/app/d"]);
    let wanted = [dir("/etc/app"), dir("/etc/app/d"), file("/etc/app/d/x", 1), file("/etc/app/d/y", 1)];
    assert_eq!(planned(&wanted, &[dir("/etc/app"), held("/etc/app/d")]), ["refuse /etc/app/d"]);
}

#[test]
fn path_that_is_not_listed_here_is_refused() {
    let wanted = [file("/etc/app/../passwd", 1), file("/etc/passwd", 1)];
    assert_eq!(planned(&wanted, &[]), ["refuse /etc/app/../passwd", "refuse /etc/passwd"]);
}

#[test]
fn content_that_was_made_of_the_sources_is_the_same() {
    let agreed = Agreed { there: [1; 32], here: [2; 32] };
    let mut settled = Settled::new();
    settled.insert("/etc/hosts".into(), agreed);
    let again = plan(&[file("/etc/hosts", 1)], &[file("/etc/hosts", 2)], &settled, &rules(), &|_| true);
    assert_eq!((again.steps.len(), again.same.get("/etc/hosts")), (0, Some(&agreed)));
    let edited = plan(&[file("/etc/hosts", 1)], &[file("/etc/hosts", 3)], &settled, &rules(), &|_| true);
    assert_eq!(edited.steps.len(), 1);
}

#[test]
fn another_owner_or_mode_alone_moves_no_content() {
    let mut wanted = file("/etc/hosts", 1);
    wanted.meta.mode = 0o600;
    assert_eq!(planned(&[wanted], &[file("/etc/hosts", 1)]), ["adjust /etc/hosts"]);
}
