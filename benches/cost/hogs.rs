//! Programs that do nothing, as fast as they can.

use std::process::{Child, Command, Stdio};

/// Busy loops. Dropping them ends them.
pub struct Hogs(Vec<Child>);

impl Hogs {
    pub fn start(count: usize) -> Hogs {
        let hog = || {
            let mut command = Command::new("sh");
            command.args(["-c", "while :; do :; done"]).stdin(Stdio::null()).stdout(Stdio::null());
            command.spawn().expect("a shell can be started")
        };
        Hogs((0..count).map(|_| hog()).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            let _ = hog.kill();
            let _ = hog.wait();
        }
    }
}
