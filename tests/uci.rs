//! The UCI corpus: each `tests/uci/NAME.uci` reads as `NAME.tree` says.
//!
//! That these trees are libuci's too is shown by `tests/uci-oracle`. `UPDATE_EXPECT=1` rewrites them.

mod expect;

use std::fmt::Write;

use gwha::uci::{self, Item, Tree, Value};

#[test]
fn the_corpus_reads_as_expected() {
    expect::each("tests/uci", "uci", "tree", |_, input| match uci::parse(input) {
        Ok(tree) => show(&tree),
        Err(broken) => {
            broken.errors.iter().fold(String::new(), |text, error| text + &format!("error {error}\n"))
        }
    });
}

fn show(tree: &Tree) -> String {
    let mut text = String::new();
    for section in &tree.sections {
        let name = section.name.as_ref().map_or("(unnamed)".into(), |name| format!("'{name}'"));
        writeln!(text, "{}: {} {name}", section.line, section.kind).expect("a string takes it");
        for entry in &section.options {
            match &entry.value {
                Value::Single(item) => show_item(&mut text, "option", &entry.name, item),
                Value::List(items) => {
                    items.iter().for_each(|item| show_item(&mut text, "list", &entry.name, item))
                }
            }
        }
    }
    text
}

fn show_item(text: &mut String, keyword: &str, name: &str, item: &Item) {
    writeln!(text, "{}:   {keyword} {name} \"{}\"", item.line, item.bytes.escape_ascii())
        .expect("a string takes it");
}
