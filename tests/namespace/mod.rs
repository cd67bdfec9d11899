//! Network namespaces for tests.
//!
//! Each test has one of its own: it starts itself again under `unshare`. Without root that takes a kernel which
//! allows user namespaces.

use std::process::Command;

/// Runs `body` in a new network namespace. `name` is the path of the calling test.
pub fn in_namespace(name: &str, body: fn()) {
    const INSIDE: &str = "GWHA_TEST_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    let own_rights = if nix::unistd::geteuid().is_root() { "-n" } else { "-rn" };
    let output = Command::new("unshare")
        .args([own_rights, "--"])
        .arg(std::env::current_exe().expect("the test knows its own file"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("`unshare` is missing; install it with: apt-get install util-linux");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} failed inside its namespace:\n{told}");
    // With `--nocapture` somebody wants to know.
    eprint!("{told}");
}

/// Declares tests that run in a namespace of their own.
macro_rules! namespace_tests {
    ($($name:ident => $body:block)*) => {
        $(#[test]
        fn $name() {
            namespace::in_namespace(stringify!($name), || $body);
        })*
    };
}

/// Runs `ip` with these arguments, and returns what it prints.
pub fn ip(arguments: &str) -> String {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output()
        .expect("`ip` is missing; install it with: apt-get install iproute2");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
