//! The shape of the program, held by a test: what docs/ARCHITECTURE.md promises and no compiler checks.
//!
//! Every check is a function from text to complaints, and is shown able to complain below.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Modules without a clock, a file, a socket, a thread, a log or a hash's order.
const PURE: &[&str] = &[
    "src/engine/",
    "src/wire/",
    "src/reconcile/plan",
    "src/sync/file",
    "src/sync/lease",
    "src/duties/",
    "src/pair/agree",
    "src/pair/code",
    "src/pair/message",
    "src/pair/session",
];

/// What they must not name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::time",
    "std::thread",
    "std::env",
    "std::process",
    "std::io",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "nix",
    "libc",
    "log",
    "rand",
    "socket2",
];

/// Modules that could become crates of their own.
const STAND_ALONE: &[&str] = &["ubus", "uci", "netlink", "wire"];
/// Containers with nothing of gwha in them: what stands alone may use them, as it would another crate.
const LEAF: &str = "sorted";

/// Files that may contain `unsafe`, with the reason.
const UNSAFE: &[(&str, &str)] = &[
    ("src/exec/announce.rs", "link-layer address of a packet socket"),
    ("src/probe/socket.rs", "link-layer addresses, interface requests"),
    ("src/exec/child.rs", "pidfd_open has no safe wrapper"),
    ("src/daemon/poller.rs", "a signal in a test"),
    ("src/daemon/realtime.rs", "musl has no sched_setscheduler, nix neither"),
    ("src/main.rs", "what the C library starts is no safe function"),
    ("src/disk.rs", "F_SETLEASE has no safe wrapper, and renameat2 none in musl"),
    ("src/stdio.rs", "descriptors that a program begins with"),
    ("src/thread.rs", "pthread_create has no safe wrapper but std's, which is 5 KB larger"),
];

const FILE_MAX: usize = 400;
const TEST_FILE_MAX: usize = 800;
const FUNCTION_MAX: usize = 70;
const UNSAFE_MAX: usize = 10;

#[test]
fn pure_modules_are_pure() {
    assert_none(sources(|path| PURE.iter().any(|pure| path.starts_with(pure)) && !is_test(path)), impurities);
}

#[test]
fn stand_alone_modules_stand_alone() {
    assert_none(sources(|path| stand_alone(path).is_some()), outside_paths);
}

#[test]
fn files_are_short() {
    assert_none(sources(|_| true), too_long);
}

#[test]
fn functions_are_short() {
    assert_none(sources(|_| true), long_functions);
}

#[test]
fn unsafe_is_rare_short_and_explained() {
    assert_none(sources(|path| path.starts_with("src/")), unsafe_code);
}

#[test]
fn nothing_needs_64_bit_atomics() {
    assert_none(sources(|path| path.starts_with("src/")), atomics);
}

#[test]
fn people_are_shown_no_debug_forms() {
    assert_none(sources(|path| path.starts_with("src/") && !is_test(path)), debug_forms);
}

#[test]
fn no_file_names_the_machine_it_was_written_on() {
    assert_none(files(|_| true), machine_paths);
}

#[test]
fn links_between_documents_lead_somewhere() {
    assert_none(files(|path| path.ends_with(".md")), dead_links);
}

#[test]
fn no_crate_is_linked_in_two_versions() {
    // What builds the program or tests it may have what it likes.
    let edges = ["--edges", "normal,no-proc-macro", "--duplicates", "--depth", "0", "--prefix", "none"];
    let mut cargo = Command::new(env!("CARGO"));
    cargo.arg("tree").args(edges).args(["--offline", "--locked"]).current_dir(root());
    let tree = cargo.output().expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));

    assert_eq!(doubles(&String::from_utf8_lossy(&tree.stdout)), Vec::<&str>::new());
}

#[test]
fn every_option_is_documented() {
    let text = read("docs/OPTIONS.md");
    let options = gwha::config::schema::SECTIONS.iter().flat_map(|section| section.options());
    let missing: Vec<&str> =
        options.map(|option| option.name()).filter(|name| !documents(&text, name)).collect();

    assert_eq!(missing, Vec::<&str>::new());
}

/// A complaint: the line it is about, and what is wrong there.
type Complaint = (usize, String);

fn assert_none(files: Vec<(String, String)>, check: impl Fn(&str, &str) -> Vec<Complaint>) {
    assert!(!files.is_empty(), "there is nothing to look at");
    let mut all = String::new();
    for (path, text) in &files {
        for (line, what) in check(path, text) {
            all += &format!("{path}:{line}: {what}\n");
        }
    }
    assert!(all.is_empty(), "\n{all}");
}

/// Names of forbidden things in code that is not a test's.
fn impurities(_: &str, text: &str) -> Vec<Complaint> {
    let code = flatten_uses(&without_tests(&code_of(text)));
    let mut complaints = Vec::new();
    for (index, line) in code.lines().enumerate() {
        for name in IMPURE.iter().filter(|name| names(line, name)) {
            complaints.push((index + 1, format!("a pure module uses {name}")));
        }
        if words(line).any(|word| word == "unsafe" || word == "SystemTime") {
            complaints.push((index + 1, "a pure module has unsafe code or a wall clock".to_owned()));
        }
    }
    complaints
}

/// Paths that lead out of a module that stands alone.
fn outside_paths(path: &str, text: &str) -> Vec<Complaint> {
    let Some(module) = stand_alone(path) else { return Vec::new() };
    let own = format!("crate::{module}");
    let depth = path.trim_end_matches("/mod.rs").trim_end_matches(".rs").matches('/').count() - 1;
    let mut complaints = Vec::new();
    for (index, line) in code_of(text).lines().enumerate() {
        let own_word = |word: &str| word == module || (word == LEAF && module != "ubus");
        let foreign =
            line.split("crate::").skip(1).any(|rest| words(rest).next().is_none_or(|word| !own_word(word)));
        if foreign {
            complaints.push((index + 1, format!("a path outside of {own}")));
        }
        // A test module inside the file is one level deeper.
        let up = (1..9).rev().find(|levels| line.contains(&"super::".repeat(*levels))).unwrap_or(0);
        if up > depth + usize::from(line.starts_with("    ")) {
            complaints.push((index + 1, format!("{up} levels up lead out of {own}")));
        }
    }
    complaints
}

fn too_long(path: &str, text: &str) -> Vec<Complaint> {
    let max = if is_test(path) { TEST_FILE_MAX } else { FILE_MAX };
    let lines = text.lines().count();
    if lines > max { vec![(lines, format!("{lines} lines, {max} are enough"))] } else { Vec::new() }
}

/// Functions with too many lines, from `fn` to the closing brace.
fn long_functions(_: &str, text: &str) -> Vec<Complaint> {
    let code = code_of(text);
    let lines: Vec<&str> = code.lines().collect();
    let mut complaints = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let (mut depth, mut seen) = (0usize, false);
        for (offset, line) in lines[start..].iter().enumerate() {
            seen |= line.contains('{');
            depth = (depth + line.matches('{').count()).saturating_sub(line.matches('}').count());
            if !seen && line.contains(';') {
                break;
            }
            if seen && depth == 0 {
                if offset + 1 > FUNCTION_MAX {
                    complaints.push((start + 1, format!("{name} has {} lines", offset + 1)));
                }
                break;
            }
        }
    }
    complaints
}

fn function_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("fn ")?;
    let modifiers = ["pub", "const", "unsafe", "async", "extern"];
    let only_modifiers = words(before).all(|word| modifiers.contains(&word) || before.contains("pub("));
    let name = words(after).next()?;
    (only_modifiers && after.starts_with(name)).then_some(name)
}

/// `unsafe` outside of the listed files, without a `SAFETY` comment, or too long.
fn unsafe_code(path: &str, text: &str) -> Vec<Complaint> {
    let lines: Vec<&str> = text.lines().collect();
    let mut complaints = Vec::new();
    for (index, code) in code_of(text).lines().enumerate() {
        if !words(code).any(|word| word == "unsafe") {
            continue;
        }
        if !UNSAFE.iter().any(|(listed, _)| *listed == path) {
            complaints.push((index + 1, "this file is not listed as one with unsafe code".to_owned()));
        }
        let before = &lines[index.saturating_sub(5)..=index];
        if !before.iter().any(|line| line.contains("SAFETY:")) {
            complaints.push((index + 1, "no SAFETY comment says which promise is kept".to_owned()));
        }
        let end = lines[index..].iter().position(|line| line.contains('}')).unwrap_or(0);
        if end >= UNSAFE_MAX {
            complaints.push((index + 1, format!("{end} lines of unsafe code")));
        }
    }
    complaints
}

/// 32-bit MIPS has no 64-bit atomics.
fn atomics(_: &str, text: &str) -> Vec<Complaint> {
    let code = code_of(text);
    let found = code
        .lines()
        .enumerate()
        .filter(|(_, line)| words(line).any(|word| matches!(word, "AtomicU64" | "AtomicI64")));
    found.map(|(index, _)| (index + 1, "a 64-bit atomic".to_owned())).collect()
}

/// `{:?}` prints nothing at all in a packaged program, where the code for it is left out.
fn debug_forms(_: &str, text: &str) -> Vec<Complaint> {
    let code = without_tests(text);
    let found = code.lines().enumerate().filter(|(_, line)| line.contains(":?}") || line.contains(":#?}"));
    found.map(|(index, _)| (index + 1, "a debug form in a text".to_owned())).collect()
}

/// Places that exist on one machine only.
fn machine_paths(path: &str, text: &str) -> Vec<Complaint> {
    if path == "tests/tidy.rs" {
        return Vec::new();
    }
    let places = ["/work/", "../shared", "/home/", "/Users/", "/root/"];
    // `luci-app/root/usr` is a folder of the package, and no place on a machine.
    let begins = |line: &str, start: usize| {
        !line[..start].ends_with(|c: char| c.is_alphanumeric() || "_-.}".contains(c))
    };
    let found = text.lines().enumerate().filter_map(|(index, line)| {
        let place = places
            .into_iter()
            .find(|place| line.match_indices(place).any(|(start, _)| begins(line, start)))?;
        Some((index + 1, format!("names {place}")))
    });
    found.collect()
}

/// Relative links of Markdown to files that are not there.
fn dead_links(path: &str, text: &str) -> Vec<Complaint> {
    let folder = root().join(path);
    let folder = folder.parent().unwrap_or(Path::new(""));
    let mut complaints = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap_or_default();
            if !file.is_empty() && !file.contains("://") && !folder.join(file).exists() {
                complaints.push((index + 1, format!("{file} does not exist")));
            }
        }
    }
    complaints
}

/// Crates that the program contains in two versions: what `cargo tree --duplicates` lists.
fn doubles(tree: &str) -> Vec<&str> {
    tree.lines().map(str::trim).filter(|line| line.contains(" v")).collect()
}

fn documents(text: &str, option: &str) -> bool {
    text.contains(&format!("`{option}`"))
}

/// The stand-alone module that a file belongs to.
fn stand_alone(path: &str) -> Option<&'static str> {
    let module = path.strip_prefix("src/")?.split(['/', '.']).next()?;
    STAND_ALONE.iter().copied().find(|name| *name == module)
}

fn is_test(path: &str) -> bool {
    let first = path.split('/').next();
    first != Some("src") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The text with comments and the insides of strings blanked out; lines stay where they are.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let (kept, skipped) = if rest.starts_with("//") {
            ("", rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            ("", rest.find("*/").map_or(rest.len(), |end| end + 2))
        } else if next == '"' {
            ("\"\"", string_end(rest))
        } else if let Some(end) = raw_string_end(rest) {
            ("\"\"", end)
        } else if let Some(end) = char_end(rest) {
            ("' '", end)
        } else {
            (&rest[..next.len_utf8()], next.len_utf8())
        };
        code.push_str(kept);
        if kept.len() != skipped {
            code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
        }
        rest = &rest[skipped..];
    }
    code
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (index, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return index + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

fn raw_string_end(text: &str) -> Option<usize> {
    let hashes = text.strip_prefix('r')?.chars().take_while(|c| *c == '#').count();
    text[1 + hashes..].starts_with('"').then_some(())?;
    let close = format!("\"{}", "#".repeat(hashes));
    let start = 2 + hashes;
    Some(text[start..].find(&close).map_or(text.len(), |end| start + end + close.len()))
}

/// A character literal; a lifetime is none.
fn char_end(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let width = match inside.strip_prefix('\\') {
        Some(escape) => 1 + escape.find('\'').filter(|end| *end > 0).unwrap_or(1),
        None => inside.chars().next()?.len_utf8(),
    };
    (inside.get(width..)?.starts_with('\'')).then_some(width + 2)
}

/// The code without `#[cfg(test)] mod … { … }`, which stands last in a file.
fn without_tests(code: &str) -> String {
    match code.find("#[cfg(test)]\nmod ") {
        Some(start) => code[..start].to_owned(),
        None => code.to_owned(),
    }
}

/// `use std::{fs, io::Read};` names `std::fs` and `std::io::Read`, on its line.
fn flatten_uses(code: &str) -> String {
    let mut out = String::new();
    for line in code.lines() {
        out.push_str(line);
        if let Some((prefix, list)) = line.split_once("::{") {
            let prefix = prefix.rsplit([' ', '(']).next().unwrap_or_default();
            for name in list.split([',', '}', '{']) {
                out.push_str(&format!(" {prefix}::{}", name.trim()));
            }
        }
        out.push('\n');
    }
    out
}

/// Whether a line of code names a path or something in it.
fn names(line: &str, path: &str) -> bool {
    let boundary = |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let crate_name = !path.contains("::");
    line.match_indices(path).any(|(start, _)| {
        let (before, after) = (&line[..start], &line[start + path.len()..]);
        let whole = boundary(before.chars().next_back()) && boundary(after.chars().next());
        // A crate's name is a crate only in front of a path, and not in the middle of one.
        whole && (!crate_name || (after.starts_with("::") && !before.ends_with("::")))
    })
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Rust files of the package, as (path, text).
fn sources(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    files(|path| path.ends_with(".rs") && wanted(path))
}

/// Text files of the package.
fn files(wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(root().join(&folder)).expect("the folder is there").flatten();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            if name == "target" || name == ".git" || name == "node_modules" {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            } else if let Some(path) = path.to_str().filter(|path| wanted(path)) {
                // What is not text says nothing that these checks could read.
                found.extend(
                    std::fs::read_to_string(root().join(path)).ok().map(|text| (path.to_owned(), text)),
                );
            }
        }
    }
    found.sort();
    found
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("the file is there")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every check complains about what it is for.
mod complaints {
    use super::*;

    fn lines(complaints: &[Complaint]) -> Vec<usize> {
        complaints.iter().map(|(line, _)| *line).collect()
    }

    #[test]
    fn an_impure_module() {
        let text = "use core::time::Duration;\nuse std::{net::IpAddr, fs};\nfn f() { let t = std::time::Instant::now(); }\n\
                    // std::io in a comment\nlet s = \"std::io in a string\";\nlog::info!(\"x\");\nlet log = catalog::log();\n\
                    use std::collections::HashMap;\n#[cfg(test)]\nmod tests { use std::io; }\n";

        assert_eq!(lines(&impurities("src/engine/a.rs", text)), [2, 3, 6, 8]);
    }

    #[test]
    fn a_module_that_leans_on_another() {
        let text = "use crate::wire::types::Vrid;\nuse crate::config::model;\nuse super::super::x;\nuse super::y;\nuse crate::sorted::Map;\n";

        assert_eq!(lines(&outside_paths("src/wire/arp.rs", text)), [2, 3]);
        assert_eq!(lines(&outside_paths("src/wire/vrrp/tests.rs", text)), [2]);
        assert_eq!(lines(&outside_paths("src/wire/mod.rs", "use super::limits;\n")), [1]);
        assert_eq!(lines(&outside_paths("src/ubus/mod.rs", "use crate::sorted::Map;\n")), [1]);
        assert_eq!(outside_paths("src/engine/mod.rs", text), []);
    }

    #[test]
    fn a_long_file() {
        let text = "x\n".repeat(401);

        assert_eq!(lines(&too_long("src/a.rs", &text)), [401]);
        assert_eq!(too_long("src/a/tests.rs", &text), []);
        assert_eq!(too_long("tests/a.rs", &text), []);
        assert_eq!(lines(&too_long("tests/a.rs", &text.repeat(2))), [802]);
    }

    #[test]
    fn a_long_function() {
        let body = "    let brace = '{'; // }\n".repeat(69);
        let long = format!("fn short() {{}}\n\npub(crate) const fn long(a: u8) -> u8 {{\n{body}}}\n");
        let short = long.replacen("    let", "", 1).replacen(" brace = '{'; // }\n", "", 1);

        assert_eq!(long_functions("src/a.rs", &long), [(3, "long has 71 lines".to_owned())]);
        assert_eq!(long_functions("src/a.rs", &short), []);
    }

    #[test]
    fn unsafe_code_in_the_wrong_place_or_without_a_reason() {
        let good = "// SAFETY: kept by the kernel.\nunsafe { f() }\n";
        let long = format!("// SAFETY: x\nunsafe {{\n{}}}\n", "    f();\n".repeat(11));

        assert_eq!(unsafe_code("src/exec/child.rs", good), []);
        assert_eq!(lines(&unsafe_code("src/engine/mod.rs", good)), [2]);
        assert_eq!(lines(&unsafe_code("src/exec/child.rs", "unsafe { f() }\n")), [1]);
        assert_eq!(lines(&unsafe_code("src/exec/child.rs", &long)), [2]);
    }

    #[test]
    fn a_64_bit_atomic() {
        assert_eq!(lines(&atomics("src/a.rs", "// AtomicU64\nstatic A: AtomicU64 = x;\n")), [2]);
    }

    #[test]
    fn a_debug_form() {
        let text = "let a = format!(\"{b}\");\nlet c = format!(\"{d:?}\");\n#[cfg(test)]\nmod tests { x!(\"{e:?}\") }\n";
        assert_eq!(lines(&debug_forms("src/a.rs", text)), [2]);
    }

    #[test]
    fn a_place_on_one_machine() {
        assert_eq!(
            lines(&machine_paths("README.md", "see docs\nsee ../shared/x\ncd /work/y\napp/root/usr\n")),
            [2, 3]
        );
    }

    #[test]
    fn a_dead_link() {
        let text = "[a](README.md) [b](docs/NOWHERE.md#x)\n[c](https://example.org) [d](#here)\n";

        assert_eq!(lines(&dead_links("README.md", text)), [1]);
    }

    #[test]
    fn a_crate_in_two_versions() {
        assert_eq!(
            doubles("getrandom v0.3.4\n\ngetrandom v0.4.3 (*)\n"),
            ["getrandom v0.3.4", "getrandom v0.4.3 (*)"]
        );
        assert_eq!(doubles("nothing to print\n\n"), Vec::<&str>::new());
    }

    #[test]
    fn an_option_that_nobody_explains() {
        assert!(documents("| `vrid` | 1..255 |", "vrid"));
        assert!(!documents("the vrid", "vrid"));
    }

    #[test]
    fn comments_and_strings_are_no_code() {
        let text = "a // b\n/* c\nd */ e \"f\\\"g\n\" 'h' r#\"i\"j\"# 'k: '\\'' l";

        assert_eq!(code_of(text), "a \n\n e \"\"\n ' ' \"\" 'k: ' ' l");
    }
}
