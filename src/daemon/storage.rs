//! Writes to flash, by a thread of their own.
//!
//! A write to JFFS2 or UBIFS can take seconds while old blocks are erased, longer than Master_Down. The thread is
//! started by the first job: a daemon that never writes to flash has one thread.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::disk;
use crate::engine::Maintenance;
use crate::thread;

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
pub struct Storage(Option<Arc<Desk>>);

/// Between the two threads. A channel of the standard library would be 9 KB on MIPS.
#[derive(Debug, Default)]
struct Desk {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    jobs: Vec<Job>,
    /// No job will come any more.
    is_closed: bool,
    /// The thread has done all.
    is_over: bool,
}

impl Storage {
    /// Has a job done after all earlier ones. A failure is logged. So is a full queue: the job is dropped.
    pub fn submit(&mut self, job: Job) {
        if self.0.is_none() {
            self.0 = start().inspect_err(|error| log::error!("storage thread: {}", disk::plain(error))).ok();
        }
        let Some(desk) = &self.0 else { return };
        let mut queue = desk.queue();
        if queue.jobs.len() < QUEUE_LENGTH {
            queue.jobs.push(job);
            desk.changed.notify_one();
        } else {
            log::error!("storage thread: it is stuck; something is not written");
        }
    }

    /// Waits until all is written. At the end only, when nothing depends on this process any more.
    pub fn finish(&mut self) {
        let Some(desk) = self.0.take() else { return };
        let mut queue = desk.queue();
        queue.is_closed = true;
        desk.changed.notify_one();
        while !queue.is_over {
            queue = desk.wait(queue);
        }
    }
}

/// Operators' commands are rare; a longer queue would only hide that flash is stuck.
const QUEUE_LENGTH: usize = 8;

fn start() -> io::Result<Arc<Desk>> {
    let desk = Arc::new(Desk::default());
    let theirs = Arc::clone(&desk);
    thread::start(c"storage", thread::STACK, Box::new(move || theirs.work()))?;
    Ok(desk)
}

impl Desk {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; `None` when all are done and none will come.
    fn next(&self) -> Option<Job> {
        let mut queue = self.queue();
        while queue.jobs.is_empty() && !queue.is_closed {
            queue = self.wait(queue);
        }
        (!queue.jobs.is_empty()).then(|| queue.jobs.remove(0))
    }

    fn work(&self) {
        while let Some(Job::Maintenance { flag, wanted }) = self.next() {
            if let Err(error) = keep(&flag, wanted) {
                log::error!(
                    "{}: {}; maintenance will not survive a restart",
                    flag.display(),
                    disk::plain(&error)
                );
            }
        }
        self.queue().is_over = true;
        self.changed.notify_one();
    }
}

fn keep(flag: &Path, wanted: Maintenance) -> io::Result<()> {
    match wanted {
        Maintenance::On => {
            disk::make_above(flag, 0o755)?;
            disk::create(flag, disk::AFRESH, 0o644)?.sync_all()
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
