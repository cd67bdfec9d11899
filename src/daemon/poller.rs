//! Which descriptors have something to say, in the order in which a turn of the loop wants to hear it.

use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// Where a readiness comes from. The order of the variants is the order of a turn (docs/PROTOCOL.md):
/// facts about links first, then packets, then answers, then what people want.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The kernel's notifications about links and addresses.
    Netlink,
    /// A VRRP socket, by its slot.
    Packets(u16),
    /// A watch for foreign claims of our addresses, by its slot.
    Conflicts(u16),
    /// Answers to the probes of a track, by its slot.
    Probes(u16),
    /// A signal.
    Signals,
    /// A new client of the control socket.
    Control,
    /// A client of the control socket, by its slot.
    Client(u16),
    /// A socket that other routers connect to, by its slot.
    PeerListener(u16),
    /// A connection to another router, by its slot.
    Peer(u16),
    /// The message bus.
    Bus,
    /// Children that carry out what follows from a role.
    Duties,
    /// News from the DHCP server's lease file.
    Leases,
    /// News from the thread that looks after files.
    Files,
    /// The timer.
    Timer,
}

impl Source {
    const fn token(self) -> u64 {
        let (kind, slot) = match self {
            Source::Netlink => (0, 0),
            Source::Packets(slot) => (1, slot),
            Source::Conflicts(slot) => (2, slot),
            Source::Probes(slot) => (3, slot),
            Source::Signals => (4, 0),
            Source::Control => (5, 0),
            Source::Client(slot) => (6, slot),
            Source::PeerListener(slot) => (7, slot),
            Source::Peer(slot) => (8, slot),
            Source::Bus => (9, 0),
            Source::Duties => (10, 0),
            Source::Leases => (11, 0),
            Source::Files => (12, 0),
            Source::Timer => (13, 0),
        };
        kind << 16 | slot as u64
    }

    const fn from_token(token: u64) -> Source {
        let slot = token as u16;
        match token >> 16 {
            0 => Source::Netlink,
            1 => Source::Packets(slot),
            2 => Source::Conflicts(slot),
            3 => Source::Probes(slot),
            4 => Source::Signals,
            5 => Source::Control,
            6 => Source::Client(slot),
            7 => Source::PeerListener(slot),
            8 => Source::Peer(slot),
            9 => Source::Bus,
            10 => Source::Duties,
            11 => Source::Leases,
            12 => Source::Files,
            _ => Source::Timer,
        }
    }
}

/// What a descriptor is watched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// Both.
    Both,
    /// Nothing but the end of the connection, which can't be left out.
    Nothing,
}

/// An epoll instance, level-triggered: what is not read in this turn is reported again in the next.
#[derive(Debug)]
pub struct Poller {
    epoll: Epoll,
    /// As long as there are descriptors, so that one wait reports all that is ready. Otherwise a link
    /// event could be left for later while packets of the same turn are already looked at.
    events: Vec<EpollEvent>,
    ready: Vec<Source>,
}

impl Poller {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// Those of `epoll_create1`.
    pub fn new() -> Result<Poller, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        // The kernel takes no list without room.
        Ok(Poller { epoll, events: vec![EpollEvent::empty()], ready: Vec::new() })
    }

    /// Begins to watch a descriptor.
    ///
    /// # Errors
    /// Those of `epoll_ctl`.
    pub fn add(&mut self, fd: impl AsFd, source: Source, interest: Interest) -> Result<(), Errno> {
        self.epoll.add(fd, EpollEvent::new(interest.flags(), source.token()))?;
        self.events.push(EpollEvent::empty());
        Ok(())
    }

    /// Changes what a descriptor is watched for.
    ///
    /// # Errors
    /// Those of `epoll_ctl`.
    pub fn change(&self, fd: impl AsFd, source: Source, interest: Interest) -> Result<(), Errno> {
        self.epoll.modify(fd, &mut EpollEvent::new(interest.flags(), source.token()))
    }

    /// Stops watching a descriptor. To be called before it is closed.
    ///
    /// # Errors
    /// Those of `epoll_ctl`.
    pub fn remove(&mut self, fd: impl AsFd) -> Result<(), Errno> {
        self.epoll.delete(fd)?;
        self.events.pop();
        Ok(())
    }

    /// How many descriptors are watched.
    #[cfg(test)]
    pub fn watched(&self) -> usize {
        self.events.len().saturating_sub(1)
    }

    /// A descriptor that was watched is closed already; the kernel then has forgotten it.
    pub fn closed(&mut self) {
        self.events.pop();
    }

    /// Waits until something is ready, and returns all of it in the order of a turn.
    ///
    /// # Errors
    /// Those of `epoll_wait`. Not that it was interrupted, as it is when the process is stopped and continued:
    /// to go on then without having looked would be to believe that nothing has arrived in the meantime.
    pub fn wait(&mut self) -> Result<Vec<Source>, Errno> {
        self.look(EpollTimeout::NONE)
    }

    /// What is ready now, in the order of a turn.
    ///
    /// # Errors
    /// Those of `epoll_wait`.
    pub fn ready_now(&mut self) -> Result<Vec<Source>, Errno> {
        self.look(EpollTimeout::ZERO)
    }

    fn look(&mut self, timeout: EpollTimeout) -> Result<Vec<Source>, Errno> {
        let count = loop {
            match self.epoll.wait(&mut self.events, timeout) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        let mut ready = core::mem::take(&mut self.ready);
        for event in self.events.iter().take(count) {
            let source = Source::from_token(event.data());
            let at = ready.iter().position(|later| *later > source).unwrap_or(ready.len());
            ready.insert(at, source);
        }
        Ok(ready)
    }

    /// Takes the list back, so that the next [`Poller::wait`] need not allocate.
    pub fn recycle(&mut self, mut ready: Vec<Source>) {
        ready.clear();
        self.ready = ready;
    }
}

impl Interest {
    const fn flags(self) -> EpollFlags {
        match self {
            Interest::Read => EpollFlags::EPOLLIN,
            Interest::Write => EpollFlags::EPOLLOUT,
            Interest::Both => EpollFlags::EPOLLIN.union(EpollFlags::EPOLLOUT),
            Interest::Nothing => EpollFlags::empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn everything_ready_is_reported_in_the_order_of_a_turn() {
        let mut poller = Poller::new().unwrap();
        let sources = [
            Source::Timer,
            Source::Leases,
            Source::Client(3),
            Source::Peer(1),
            Source::PeerListener(5),
            Source::Bus,
            Source::Packets(7),
            Source::Control,
            Source::Packets(2),
            Source::Probes(4),
            Source::Netlink,
            Source::Conflicts(1),
            Source::Signals,
        ];
        let mut pairs = Vec::new();
        for source in sources {
            let (mut near, far) = UnixStream::pair().unwrap();
            near.write_all(b"x").unwrap();
            poller.add(&far, source, Interest::Read).unwrap();
            pairs.push((near, far));
        }

        let ready = poller.wait().unwrap();

        let mut expected = sources.to_vec();
        expected.sort();
        assert_eq!(ready, expected);
        assert_eq!(ready.first(), Some(&Source::Netlink));
        assert_eq!(ready.last(), Some(&Source::Timer));
    }

    #[test]
    fn interrupted_wait_goes_on_until_something_is_there() {
        use nix::sys::signal::{SigHandler, Signal, signal};
        extern "C" fn ignore(_: i32) {}
        let mut poller = Poller::new().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        poller.add(&far, Source::Packets(0), Interest::Read).unwrap();
        // SAFETY: the handler does nothing at all.
        #[allow(unsafe_code)]
        unsafe { signal(Signal::SIGUSR1, SigHandler::Handler(ignore)) }.unwrap();
        // SAFETY: it takes and changes nothing.
        #[allow(unsafe_code)]
        // As a number, for with musl it is a pointer, which may not go from thread to thread.
        let waiting = unsafe { libc::pthread_self() } as usize;
        let interrupter = std::thread::spawn(move || {
            for _ in 0..20 {
                std::thread::sleep(core::time::Duration::from_millis(5));
                // SAFETY: the thread waits until this one has written, so it is alive.
                #[allow(unsafe_code)]
                unsafe {
                    libc::pthread_kill(waiting as libc::pthread_t, libc::SIGUSR1)
                };
            }
            near.write_all(b"x").unwrap();
            near
        });

        assert_eq!(poller.wait().unwrap(), [Source::Packets(0)]);
        interrupter.join().unwrap();
    }

    #[test]
    fn removed_descriptor_is_not_reported_any_more() {
        let mut poller = Poller::new().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        let (mut other_near, other_far) = UnixStream::pair().unwrap();
        poller.add(&far, Source::Client(0), Interest::Read).unwrap();
        poller.add(&other_far, Source::Client(1), Interest::Read).unwrap();
        near.write_all(b"x").unwrap();
        other_near.write_all(b"x").unwrap();

        poller.remove(&far).unwrap();

        assert_eq!(poller.wait().unwrap(), [Source::Client(1)]);
    }
}
