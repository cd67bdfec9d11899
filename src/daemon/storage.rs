//! Writes to flash, by a thread of their own.
//!
//! A write to JFFS2 or UBIFS can take seconds while old blocks are erased, longer than Master_Down. The thread is
//! started by the first job: a daemon that never writes to flash has one thread.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::engine::Maintenance;

/// Something to write.
#[derive(Debug)]
pub enum Job {
    /// Make the flag file, or remove it.
    Maintenance {
        /// The flag file.
        flag: PathBuf,
        /// Whether it should be there.
        wanted: Maintenance,
    },
}

/// The thread and its queue.
#[derive(Debug, Default)]
pub struct Storage(Option<Helper>);

#[derive(Debug)]
struct Helper {
    desk: Arc<Desk>,
    thread: JoinHandle<()>,
}

/// Between the two threads. A channel of the standard library would be 9 KB on MIPS.
#[derive(Debug, Default)]
struct Desk {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: Vec<Job>,
    is_closed: bool,
}

impl Storage {
    /// Has a job done after all earlier ones. A failure is logged. So is a full queue: the job is dropped.
    pub fn submit(&mut self, job: Job) {
        if self.0.is_none() {
            self.0 = start().inspect_err(|error| log::error!("storage thread: {error}")).ok();
        }
        let Some(helper) = &self.0 else { return };
        let mut queue = helper.desk.queue();
        if queue.jobs.len() < QUEUE_LENGTH {
            queue.jobs.push(job);
            helper.desk.changed.notify_one();
        } else {
            log::error!("storage thread: it is stuck; something is not written");
        }
    }

    /// Waits until all is written. At the end only, when nothing depends on this process any more.
    pub fn finish(&mut self) {
        if let Some(Helper { desk, thread }) = self.0.take() {
            desk.queue().is_closed = true;
            desk.changed.notify_one();
            let _ = thread.join();
        }
    }
}

/// Operators' commands are rare; a longer queue would only hide that flash is stuck.
const QUEUE_LENGTH: usize = 8;

fn start() -> io::Result<Helper> {
    let desk = Arc::new(Desk::default());
    let theirs = Arc::clone(&desk);
    let thread = std::thread::Builder::new().name("storage".into()).spawn(move || theirs.work())?;
    Ok(Helper { desk, thread })
}

impl Desk {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; `None` when all are done and none will come.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        while queue.jobs.is_empty() && !queue.is_closed {
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        (!queue.jobs.is_empty()).then(|| queue.jobs.remove(0))
    }

    fn work(&self) {
        while let Some(Job::Maintenance { flag, wanted }) = self.next() {
            if let Err(error) = keep(&flag, wanted) {
                log::error!("{}: {error}; maintenance will not survive a restart", flag.display());
            }
        }
    }
}

fn keep(flag: &Path, wanted: Maintenance) -> io::Result<()> {
    match wanted {
        Maintenance::On => {
            if let Some(dir) = flag.parent() {
                fs::create_dir_all(dir)?;
            }
            File::create(flag)?.sync_all()
        }
        Maintenance::Off => match fs::remove_file(flag) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_of_several_jobs_decides() {
        let dir = tempfile::tempdir().unwrap();
        let flag = dir.path().join("etc/maintenance");
        let mut storage = Storage::default();

        for wanted in [Maintenance::On, Maintenance::Off, Maintenance::Off, Maintenance::On] {
            storage.submit(Job::Maintenance { flag: flag.clone(), wanted });
        }
        storage.finish();

        assert!(flag.exists());
    }

    #[test]
    fn storage_without_jobs_starts_no_thread() {
        let mut storage = Storage::default();
        assert!(storage.0.is_none());
        storage.finish();
    }
}
