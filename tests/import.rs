//! `gwha import`: files of keepalived beside what they become. `UPDATE_EXPECT=1` writes the latter.

mod expect;

use gwha::{config, import};

#[test]
fn files_of_keepalived_become_what_they_should() {
    expect::each("tests/import", "conf", "expect", |_, bytes| {
        let imported = import::convert(&String::from_utf8_lossy(bytes));
        let notes: String = imported.notes.iter().map(|note| format!("# {note}\n")).collect();
        format!("{notes}{}", imported.text)
    });
}

#[test]
fn what_they_become_is_in_order() {
    for path in expect::files("tests/import", "conf") {
        let imported = import::convert(&std::fs::read_to_string(&path).unwrap());
        if let Err(rejected) = config::load("import", imported.text.as_bytes()) {
            panic!("{}: {:#?}\n{}", path.display(), rejected.errors, imported.text);
        }
    }
}

#[test]
fn any_text_is_converted_to_something() {
    for path in expect::files("tests/import", "conf") {
        let bytes = std::fs::read(&path).unwrap();
        for length in 0..bytes.len() {
            import::convert(&String::from_utf8_lossy(&bytes[..length]));
            let mut cut = bytes.clone();
            cut.remove(length);
            import::convert(&String::from_utf8_lossy(&cut));
        }
    }
}
