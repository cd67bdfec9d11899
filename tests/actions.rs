//! `docs/ACTIONS.md` shows the order that the program keeps.

use std::env;
use std::fmt::Write as _;
use std::fs;

use gwha::duties::{After, STEPS};

/// `docs/ACTIONS.md` is brought up to date by this test, with `UPDATE_EXPECT=1`.
#[test]
fn the_documented_order_is_the_programs() {
    let mut table = String::from(
        "| kind | on the master | on a standby | when the role comes, after | when it goes, after | otherwise |\n\
         |---|---|---|---|---|---|\n",
    );
    for step in &STEPS {
        writeln!(
            table,
            "| `{}` | {} | {} | {} | {} | {} |",
            step.kind.name(),
            step.master,
            step.standby,
            waits(step.promote_after),
            waits(step.demote_after),
            step.protects
        )
        .unwrap();
    }
    let text = fs::read_to_string("docs/ACTIONS.md").unwrap();
    let (before, rest) = text.split_once("--test actions -->\n").expect("the table has a beginning");
    let (_, after) = rest.split_once("<!-- end -->").expect("the table has an end");
    let wanted = format!("{before}--test actions -->\n{table}<!-- end -->{after}");
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write("docs/ACTIONS.md", &wanted).unwrap();
    }
    assert!(
        fs::read_to_string("docs/ACTIONS.md").unwrap() == wanted,
        "UPDATE_EXPECT=1 rewrites docs/ACTIONS.md"
    );
}

fn waits(after: &[After]) -> String {
    let word = |after: &After| format!("`{}` ({} s)", after.kind.name(), after.patience.as_secs_f32());
    after.iter().map(word).collect::<Vec<_>>().join(", ")
}
