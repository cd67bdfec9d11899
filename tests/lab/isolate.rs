//! Runs a part of this program again in namespaces of its own.
//!
//! `unshare` gives the second process a network, a mount table and a process table that end with it: when it
//! returns, panics, is interrupted or is killed, the kernel ends every daemon and removes every interface of the
//! lab. Nothing of the machine's network is ever visible inside. An ordinary user gets a user namespace as well, so
//! root is not needed where the system allows those.

use std::io::Read;
use std::process::{Child, ChildStdin, Command, Output, Stdio, exit};
use std::thread;
use std::time::Duration;

use super::{Lab, tools};

/// The environment variable that tells the inner process what it is.
const INSIDE: &str = "GWHA_LAB";

/// No scenario may take longer than this; most take a few seconds.
const SCENARIO_LIMIT: Duration = Duration::from_secs(150);

/// Runs one test of the standard test harness in its own lab.
///
/// Call it as the whole body of a `#[test]` function with a closure: the function's name is taken from the
/// closure's type, and the test program is started again for that one test inside the namespaces.
pub fn scenario<F: FnOnce(&Lab)>(body: F) {
    let name = function_of::<F>();
    if std::env::var_os(INSIDE).is_some() {
        end_with_the_outer_process(SCENARIO_LIMIT);
        prepare_mounts();
        let lab = Lab::gateways(name);
        body(&lab);
        return;
    }
    let (child, lifeline) =
        spawn(&["--exact", name, "--nocapture", "--test-threads=1"], Stdio::piped, Stdio::piped);
    let output = child.wait_with_output().expect("the lab process can be waited for");
    drop(lifeline);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    // A name that matches no test also ends with success: what counts is that one test has run.
    let passed = output.status.success() && stdout.contains("test result: ok. 1 passed");
    assert!(passed, "{name} failed in its lab ({}):\n{stdout}{stderr}", output.status);
    if std::env::var_os("GWHA_LAB_SHOW").is_some() {
        eprint!("{stdout}{stderr}");
    }
}

/// Moves a whole program into a lab: the first call starts the program again inside and exits with its exit code,
/// the second (inside) prepares the place and returns.
pub fn enter() {
    if std::env::var_os(INSIDE).is_some() {
        end_with_the_outer_process(Duration::MAX);
        prepare_mounts();
        return;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (mut child, lifeline) = spawn(&arguments, Stdio::inherit, Stdio::inherit);
    let status = child.wait().expect("the lab process can be waited for");
    drop(lifeline);
    exit(status.code().unwrap_or(1));
}

/// Runs this program with other arguments, which leads it to [`enter`], and returns what it has printed.
pub fn output(arguments: &[&str]) -> Output {
    let (child, lifeline) = spawn(arguments, Stdio::piped, Stdio::inherit);
    let output = child.wait_with_output().expect("the lab process can be waited for");
    drop(lifeline);
    output
}

/// The lab's own process id as the machine outside sees it, for `nsenter`.
pub fn outer_pid() -> Option<u32> {
    std::env::var(INSIDE).ok()?.parse().ok()
}

/// Starts this program inside new namespaces. The inner process ends when the returned lifeline is closed, so also
/// when this process dies.
fn spawn(arguments: &[&str], output: fn() -> Stdio, errors: fn() -> Stdio) -> (Child, ChildStdin) {
    tools::require(&["unshare", "mount"]);
    let program = std::env::current_exe().expect("the running program has a path");
    let mut command = Command::new("unshare");
    if !nix::unistd::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--mount", "--pid", "--fork", "--kill-child"]);
    // The shell notes the process id that it has outside before it looks at the new process table. It stays as the
    // first process there and collects orphans: to keepalived, a dead child of a killed parent is still running.
    let script = format!(
        r#"read {INSIDE} rest </proc/self/stat && export {INSIDE} && mount -t proc proc /proc && "$0" "$@"; exit $?"#
    );
    let mut child = command
        .args(["sh", "-c", &script])
        .arg(program)
        .args(arguments)
        .env("PATH", tools::path())
        .stdin(Stdio::piped())
        .stdout(output())
        .stderr(errors())
        .spawn()
        .expect("unshare can be started");
    let lifeline = child.stdin.take().expect("the standard input is a pipe");
    (child, lifeline)
}

/// Ends this process, and with it the lab, when the outer process closes the pipe or `limit` has passed.
fn end_with_the_outer_process(limit: Duration) {
    thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        exit(130);
    });
    if limit < Duration::MAX {
        thread::spawn(move || {
            thread::sleep(limit);
            eprintln!("the scenario has not ended within {limit:?}");
            exit(1);
        });
    }
}

/// Gives the lab a `/run` of its own, so that named namespaces and run-time files do not meet the machine's.
fn prepare_mounts() {
    let status = Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]).status();
    assert!(status.is_ok_and(|s| s.success()), "cannot mount a private /run");
}

/// The path of the function in which a closure of type `F` was written, without the crate.
fn function_of<F>() -> &'static str {
    let closure = std::any::type_name::<F>();
    let function = closure.trim_end_matches("::{{closure}}");
    function.split_once("::").map_or(function, |(_, path)| path)
}
