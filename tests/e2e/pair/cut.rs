//! A connection that ends at each point of the conversation, and a side that has the code and means no good. The other
//! side is the program; this one is played with its library.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};

use gwha::daemon::clock;
use gwha::pair::code::Code;
use gwha::pair::message::{Facts, Message, Plan};
use gwha::pair::session::Session;
use gwha::peer::handshake::{Ends, Side};
use gwha::peer::key::Key;

use crate::lab::topology::{Host, Segment};
use crate::lab::{scenario, until};

use super::super::support::{LIMIT, ms};
use super::{PORT, Router, are_alike, has_nothing, paired, refused, stray_files, text, words};

fn address(host: Host) -> Ipv4Addr {
    host.address(Segment::Lan)
}

fn ends() -> Ends {
    Ends { initiator: IpAddr::V4(address(Host::B)), responder: IpAddr::V4(address(Host::A)) }
}

/// A side of a conversation that does what a test wants.
struct Puppet {
    stream: TcpStream,
    session: Session,
}

impl Puppet {
    fn new(stream: TcpStream, side: Side, code: &Code) -> Puppet {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Puppet { stream, session: Session::new(side, code, &ends(), clock::now()) }
    }

    /// A guest at B's address.
    fn guest(code: &Code) -> Puppet {
        let stream = Host::B.netns().enter(|| TcpStream::connect((address(Host::A), PORT)).unwrap());
        Puppet::new(stream, Side::Initiator, code)
    }

    fn flush(&mut self) {
        let length = self.session.output().len();
        let _ = self.stream.write_all(self.session.output());
        self.session.sent(length);
    }

    /// What the other side says; `None` when there is no more.
    fn hear(&mut self) -> Option<Message> {
        let mut buffer = [0; 4096];
        loop {
            self.flush();
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => {
                    let said = self.session.receive(&buffer[..count], clock::now());
                    self.flush();
                    if said.is_some() || (self.session.is_own_turn() && !self.session.is_proven()) {
                        return said;
                    }
                }
            }
        }
    }

    fn say(&mut self, message: &Message) {
        self.session.say(message, clock::now());
        self.flush();
    }
}

fn hello() -> Message {
    Message::Hello(Facts {
        node: "gw-b".into(),
        version: "0.1.0".into(),
        address: (address(Host::B), 24),
        network: Some("lan".into()),
        device: "lan".into(),
        serves_dhcp: false,
        key: None,
        config: None,
    })
}

/// What a guest does until it vanishes.
fn play_guest(steps: usize, code: &Code) {
    let mut guest = Puppet::guest(code);
    if steps == 0 {
        return;
    }
    assert_eq!(guest.hear(), None, "the handshake is not a message");
    if steps == 1 {
        return;
    }
    guest.say(&hello());
    assert!(matches!(guest.hear(), Some(Message::Plan(_))), "after {steps}");
    if steps == 2 {
        return;
    }
    guest.say(&Message::Ready);
    if steps == 3 {
        // The answer may be on its way.
        return;
    }
    assert_eq!(guest.hear(), Some(Message::Commit));
}

#[test]
fn guest_that_vanishes_before_its_word_changes_nothing_on_the_host() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let offer = a.offer(&[]);
        let line = offer.line();
        let code = Code::parse(&line[2]).unwrap();
        for steps in 0..3 {
            play_guest(steps, &code);
            std::thread::sleep(ms(200));
            assert!(has_nothing(&a), "after {steps} steps");
        }
        paired(&b.gwha(&words(&line)));
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
    });
}

#[test]
fn guest_that_vanishes_after_its_word_is_mended_by_the_same_line() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let mut offer = a.offer(&[]);
        let line = offer.line();
        let code = Code::parse(&line[2]).unwrap();
        play_guest(3, &code);
        until("the host has done its part", LIMIT, || a.read("config/gwha").is_some());
        offer.until_says("This router is set up");
        let key = a.read("gwha/key");
        play_guest(4, &code);
        std::thread::sleep(ms(300));
        assert!(offer.is_waiting() && has_nothing(&b));
        assert_eq!(a.read("gwha/key"), key, "one pairing has one key");

        paired(&b.gwha(&words(&line)));
        assert_eq!(offer.code(), 0);
        assert_eq!(b.read("gwha/key"), key);
        are_alike(&a, &b);
    });
}

#[test]
fn host_killed_after_its_part_is_mended_by_a_line_of_either_router() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let offer = a.offer(&[]);
        let code = Code::parse(&offer.line()[2]).unwrap();
        let mut guest = Puppet::guest(&code);
        guest.hear();
        guest.say(&hello());
        guest.hear();
        guest.say(&Message::Ready);
        assert_eq!(guest.hear(), Some(Message::Commit));
        guest.say(&Message::Refuse("the disk is gone".into()));
        offer.until_says("not paired with 192.168.100.3: the disk is gone");
        offer.until_says("This router is set up");
        until("A runs alone", LIMIT, || a.status()["role"] == "master");
        drop(offer);
        let (config, key) = (a.read("config/gwha"), a.read("gwha/key"));
        assert!(config.is_some() && has_nothing(&b));

        let offer = b.offer(&[]);
        paired(&a.gwha(&words(&offer.line())));
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
        assert_eq!((a.read("config/gwha"), a.read("gwha/key")), (config, key));
        until("both see each other", LIMIT, || b.status().pointer("/peer/connected") == Some(&true.into()));
    });
}

#[test]
fn guest_that_stalls_with_the_plan_in_hand_is_in_the_way_for_seconds_only() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let offer = a.offer(&[]);
        let line = offer.line();
        let mut stalled = Puppet::guest(&Code::parse(&line[2]).unwrap());
        stalled.hear();
        stalled.say(&hello());
        assert!(matches!(stalled.hear(), Some(Message::Plan(_))));

        refused(&b.gwha(&words(&line)), "another router is being paired there at this moment");
        offer.until_says("fell silent");
        assert!(has_nothing(&a) && has_nothing(&b));
        paired(&b.gwha(&words(&line)));
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
        drop(stalled);
    });
}

fn plan(config: String) -> Message {
    Message::Plan(Plan { node: "gw-a".into(), key: Key::new([7; 32]), config })
}

fn config() -> String {
    let (a, b) = (address(Host::A), address(Host::B));
    format!(
        "config instance 'lan'\n\toption interface 'lan'\n\toption vrid '51'\n\tlist router '{a}'\n\tlist router \
         '{b}'\n\tlist vip '192.168.100.1/24'\nconfig sync 'peer'\n\toption instance 'lan'\n"
    )
}

/// What a host does until it vanishes, each time that the guest comes.
fn play_host(listener: &TcpListener, code: &Code, says: &[Message]) -> Option<Message> {
    let (stream, from) = listener.accept().unwrap();
    assert_eq!(from.ip(), IpAddr::V4(address(Host::B)));
    let mut host = Puppet::new(stream, Side::Responder, code);
    let mut heard = host.hear();
    for message in says {
        assert!(heard.is_some(), "the guest said nothing before {message:?}");
        host.say(message);
        heard = host.hear();
    }
    heard
}

fn join_in_the_background(guest: &Router, code: &Code) -> Child {
    let mut command = guest.command(&["pair", "192.168.100.2", &code.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn code() -> Code {
    Code::generate().unwrap()
}

fn listener() -> TcpListener {
    Host::A.netns().enter(|| TcpListener::bind(SocketAddr::from((address(Host::A), PORT))).unwrap())
}

#[test]
fn guest_whose_host_vanishes_has_either_nothing_or_everything() {
    scenario(|lab| {
        let (a, b) = (Router::openwrt(lab, Host::A), Router::openwrt(lab, Host::B));
        let all = [plan(config()), Message::Commit];
        for count in 0..all.len() {
            let (listener, code) = (listener(), code());
            let join = join_in_the_background(&b, &code);
            // It comes three times before it gives up.
            for _ in 0..3 {
                play_host(&listener, &code, &all[..count]);
                assert!(has_nothing(&b), "after {count} messages");
            }
            let output = join.wait_with_output().unwrap();
            refused(&output, "The same line can be typed again");
            assert!(has_nothing(&b) && stray_files(&b).is_empty(), "{:?}", stray_files(&b));
        }
        // The host has its part, and the guest's last word is lost.
        let (listener, code) = (listener(), code());
        let join = join_in_the_background(&b, &code);
        assert_eq!(play_host(&listener, &code, &all), Some(Message::Done));
        paired(&join.wait_with_output().unwrap());
        drop(listener);
        assert!(b.read("config/gwha").is_some() && b.read("gwha/key").is_some());

        // The real host knows nothing of it, and gets what the guest has.
        let offer = a.offer(&[]);
        paired(&b.gwha(&words(&offer.line())));
        assert_eq!(offer.code(), 0);
        are_alike(&a, &b);
        assert_eq!(a.read("gwha/key").unwrap().trim(), "07".repeat(32));
    });
}

#[test]
fn guest_believes_no_plan_that_is_not_for_it() {
    scenario(|lab| {
        let b = Router::openwrt(lab, Host::B);
        let others = config().replace("192.168.100.3", "192.168.100.33");
        let broken = config().replace("'51'", "'510'");
        let elsewhere = config() + "\toption key_file '/etc/config/network'\n";
        for (bad, why) in
            [(others, "no place for 192.168.100.3"), (broken, "vrid"), (elsewhere, "config/network")]
        {
            let (listener, code) = (listener(), code());
            let join = join_in_the_background(&b, &code);
            let heard = play_host(&listener, &code, &[plan(bad)]);
            assert!(matches!(&heard, Some(Message::Refuse(said)) if said.contains(why)), "{heard:?}");
            let output = join.wait_with_output().unwrap();
            refused(&output, why);
            assert!(has_nothing(&b) && stray_files(&b).is_empty());
            assert!(b.read("config/network").unwrap().contains("interface"));
        }

        // It has a key and a configuration of its own.
        b.write("config/gwha", &config().replace("'51'", "'52'"));
        let (listener, code) = (listener(), code());
        let join = join_in_the_background(&b, &code);
        let heard = play_host(&listener, &code, &[plan(config())]);
        assert!(matches!(&heard, Some(Message::Refuse(said)) if said.contains("of its own")), "{heard:?}");
        let output = join.wait_with_output().unwrap();
        assert!(text(&output).contains("of its own"), "{}", text(&output));
        assert!(b.read("config/gwha").unwrap().contains("'52'"));
    });
}

#[test]
fn silent_host_is_given_up() {
    scenario(|lab| {
        let b = Router::openwrt(lab, Host::B);
        let listener = listener();
        let begin = std::time::Instant::now();
        let refusal = b.gwha(&["pair", "192.168.100.2", &code().to_string()]);
        refused(&refusal, "fell silent");
        assert!(begin.elapsed() < ms(25_000), "it took {:?}", begin.elapsed());
        drop(listener);
    });
}
