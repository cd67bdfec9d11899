use super::super::blob::MAX_MESSAGE;
use super::super::blobmsg::Type;
use super::super::message::Header;
use super::super::{Argument, Data, Method, Need, Status, Table};
use super::*;

const METHODS: &[Method] = &[
    Method { name: "status", arguments: &[] },
    Method {
        name: "switch",
        arguments: &[Argument { name: "to", kind: Type::String, need: Need::Required }],
    },
];

const S: u64 = 1_000_000;

/// A session, and by hand what ubusd would do.
struct Bench {
    session: Session,
    events: Vec<Event>,
    now: u64,
}

/// A message that the session has sent, in words.
#[derive(Debug, PartialEq)]
struct Sent {
    kind: Kind,
    seq: u16,
    peer: u32,
    object: Option<u32>,
    target: Option<u32>,
    status: Option<Status>,
    /// Path, method and data.
    text: String,
}

impl Bench {
    fn new() -> Bench {
        Bench { session: Session::new(), events: Vec::new(), now: 0 }
    }

    /// A session that ubusd has greeted.
    fn up() -> Bench {
        let mut bench = Bench::new();
        bench.greet();
        assert_eq!(bench.events(), [Event::Connected]);
        bench
    }

    fn greet(&mut self) {
        self.session.connected(self.now);
        self.give(Builder::new(Kind::Hello, 0, 0x1234_5678));
    }

    fn give(&mut self, message: Builder) {
        let bytes = message.finish().unwrap();
        self.session.receive(self.now, &bytes, &mut self.events).unwrap();
    }

    fn status(&mut self, to: &Sent, status: Status) {
        self.give(Builder::new(Kind::Status, to.seq, to.peer).status(status));
    }

    /// Answers a request for an object's id.
    fn give_id(&mut self, to: &Sent, id: u32) {
        self.give(Builder::new(Kind::Data, to.seq, to.peer).object(id));
        self.status(to, Status::Ok);
    }

    fn pass(&mut self, time: u64) -> Result<(), Violation> {
        self.now += time;
        self.session.expire(self.now, &mut self.events)
    }

    fn events(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.events)
    }

    fn sent(&mut self) -> Vec<Sent> {
        let mut inbox = Inbox::default();
        inbox.push(self.session.outgoing());
        self.session.sent(self.session.outgoing().len());
        let mut all = Vec::new();
        while let Some(message) = inbox.next_message().unwrap() {
            let attributes = message.attributes();
            let Header { kind, seq, peer } = message.header;
            let data = attributes.data.map(|data| format!("{:?}", Data::from_bytes(data.to_vec())));
            let words = [attributes.path, attributes.method, data.as_ref().map(|data| data.as_bytes())];
            let words = words.into_iter().flatten().map(server::owned).collect::<Vec<_>>();
            let (object, target, status) = (attributes.object, attributes.target, attributes.status);
            all.push(Sent { kind, seq, peer, object, target, status, text: words.join(" ") });
        }
        all
    }

    /// The only message that the session has sent.
    fn one(&mut self) -> Sent {
        let mut all = self.sent();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// An object of ours that is registered as 7001.
    fn with_object() -> (Bench, Key) {
        let mut bench = Bench::up();
        let key = bench.session.publish(0, object());
        let add = bench.one();
        bench.give_id(&add, 7001);
        assert_eq!(bench.events(), [Event::Registered(key)]);
        (bench, key)
    }

    /// A follower of "network.device", as 7001, whose lookup is under way.
    fn with_follower() -> (Bench, Key, Sent) {
        let mut bench = Bench::up();
        let key = bench.session.follow(0, "network.device");
        let add = bench.one();
        assert_eq!((add.kind, add.text.as_str()), (Kind::AddObject, ""));
        bench.give_id(&add, 7001);
        let listen = bench.one();
        assert_eq!(listen.text, r#"register {"object":7001,"pattern":"ubus.object.add"}"#);
        bench.status(&listen, Status::Ok);
        let lookup = bench.one();
        assert_eq!((lookup.kind, lookup.text.as_str()), (Kind::Lookup, "network.device"));
        (bench, key, lookup)
    }
}

fn object() -> Object {
    Object { path: "gwha".into(), methods: METHODS }
}

fn data(table: Table) -> Data {
    Data::encode(&table).unwrap()
}

fn call_of(method: &str, arguments: Table, seq: u16) -> Builder {
    Builder::new(Kind::Invoke, seq, 4321).object(7001).method(method).data(&data(arguments))
}

fn object_added(path: &str, id: u32) -> Builder {
    let arguments = Table::default().with("id", id as i32).with("path", path);
    Builder::new(Kind::Invoke, 9, 0).object(7001).method("ubus.object.add").data(&data(arguments))
}

#[test]
fn nothing_is_sent_before_the_greeting() {
    let mut bench = Bench::new();
    bench.session.publish(0, object());
    bench.session.connected(0);

    assert_eq!(bench.sent(), []);
    assert_eq!(bench.session.call("system", "board", &Data::EMPTY, S), Err(CallError::Disconnected));

    bench.give(Builder::new(Kind::Hello, 0, 5));
    assert_eq!(bench.one().text, "gwha");
}

#[test]
fn a_stream_that_starts_with_something_else_is_refused() {
    let mut bench = Bench::new();
    bench.session.connected(0);
    let bytes = Builder::new(Kind::Data, 0, 5).finish().unwrap();
    assert_eq!(bench.session.receive(0, &bytes, &mut bench.events), Err(Violation::NoGreeting));
}

#[test]
fn a_missing_greeting_is_noticed() {
    let mut bench = Bench::new();
    bench.session.connected(0);
    assert_eq!(bench.session.next_deadline(), Some(ANSWER_US));
    assert_eq!(bench.pass(ANSWER_US - 1), Ok(()));
    assert_eq!(bench.pass(1), Err(Violation::Silence));
}

#[test]
fn an_unanswered_registration_is_noticed() {
    let mut bench = Bench::up();
    bench.session.publish(0, object());
    assert_eq!(bench.pass(ANSWER_US - 1), Ok(()));
    assert_eq!(bench.pass(1), Err(Violation::Silence));
}

#[test]
fn a_call_is_answered_with_data_then_status() {
    let (mut bench, key) = Bench::with_object();
    bench.give(call_of("switch", Table::default().with("to", "a"), 77).raw(12, b"root\0").raw(13, b"adm\0"));

    let events = bench.events();
    let [Event::Call(call)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((call.object, call.method), (key, "switch"));
    assert_eq!((call.user.as_str(), call.group.as_str()), ("root", "adm"));
    assert_eq!(call.data, data(Table::default().with("to", "a")));
    assert_eq!(bench.sent(), []);

    bench.session.answer(call.id, Ok(&data(Table::default().with("done", true))));
    let sent = |kind, status, text: &str| Sent {
        kind,
        seq: 77,
        peer: 4321,
        object: Some(7001),
        target: None,
        status,
        text: text.into(),
    };
    let end = sent(Kind::Status, Some(Status::Ok), "");
    assert_eq!(bench.sent(), [sent(Kind::Data, None, r#"{"done":true}"#), end]);

    bench.session.answer(call.id, Ok(&Data::EMPTY));
    assert_eq!(bench.sent(), [], "a call has one answer");
}

#[test]
fn refused_calls_get_a_status_alone() {
    let (mut bench, _) = Bench::with_object();
    for (message, status) in [
        (call_of("nonsense", Table::default(), 1), Status::MethodNotFound),
        (call_of("switch", Table::default(), 2), Status::InvalidArgument),
        (call_of("switch", Table::default().with("to", 5), 3), Status::InvalidArgument),
        (call_of("status", Table::default().with("x", 5), 4), Status::InvalidArgument),
    ] {
        bench.give(message);
        let answer = bench.one();
        assert_eq!((answer.kind, answer.status, answer.object), (Kind::Status, Some(status), Some(7001)));
    }
    assert_eq!(bench.events(), []);

    bench.give(call_of("status", Table::default(), 5));
    let Some(Event::Call(call)) = bench.events().pop() else { panic!() };
    bench.session.answer(call.id, Err(Status::PermissionDenied));
    assert_eq!(bench.one().status, Some(Status::PermissionDenied));
}

#[test]
fn calls_are_answered_in_any_order() {
    let (mut bench, _) = Bench::with_object();
    bench.give(call_of("status", Table::default(), 1));
    bench.give(call_of("status", Table::default(), 1));
    bench.give(call_of("status", Table::default(), 2));
    let events = bench.events();
    let ids = events.iter().map(|event| if let Event::Call(call) = event { call.id } else { panic!() });

    for id in ids.rev() {
        bench.session.answer(id, Ok(&Data::EMPTY));
    }

    assert_eq!(bench.sent().iter().map(|answer| answer.seq).collect::<Vec<_>>(), [2, 1, 1]);
}

#[test]
fn a_call_that_nobody_answers_times_out() {
    let (mut bench, _) = Bench::with_object();
    bench.give(call_of("status", Table::default(), 1));
    assert_eq!(bench.session.next_deadline(), Some(CALL_US));

    bench.pass(CALL_US).unwrap();

    assert_eq!(bench.one().status, Some(Status::Timeout));
    assert_eq!(bench.session.next_deadline(), None);
}

#[test]
fn too_many_open_calls_of_one_caller_are_refused_and_no_others() {
    let (mut bench, _) = Bench::with_object();
    let call = |caller, seq| Builder::new(Kind::Invoke, seq, caller).object(7001).method("status");
    for seq in 0..100 {
        bench.give(call(1, seq));
    }
    let refused = bench.sent();
    assert_eq!(bench.events().len(), CALLS_OF_ONE_MAX);
    assert_eq!(refused.len(), 100 - CALLS_OF_ONE_MAX);
    assert!(refused.iter().all(|answer| answer.status == Some(Status::NoMemory)));

    bench.give(call(2, 1));
    assert_eq!((bench.events().len(), bench.sent().len()), (1, 0));

    for caller in 3..100 {
        bench.give(call(caller, 1));
        bench.give(call(caller, 2));
    }
    assert_eq!(bench.events().len(), CALLS_MAX - CALLS_OF_ONE_MAX - 1);
}

#[test]
fn an_answer_above_the_message_limit_becomes_a_status() {
    let (mut bench, _) = Bench::with_object();
    bench.give(call_of("status", Table::default(), 1));
    let Some(Event::Call(call)) = bench.events().pop() else { panic!() };
    let huge = data(Table::default().with("x", "x".repeat(MAX_MESSAGE - 20)));
    bench.session.answer(call.id, Ok(&huge));
    assert_eq!(bench.one().status, Some(Status::NoMemory));
}

#[test]
fn an_answer_goes_whole_or_not_at_all_when_nobody_reads() {
    let (mut bench, _) = Bench::with_object();
    let large = data(Table::default().with("x", "x".repeat(600_000)));
    for seq in 0..10 {
        bench.give(call_of("status", Table::default(), seq));
    }
    for event in bench.events() {
        let Event::Call(call) = event else { panic!() };
        bench.session.answer(call.id, Ok(&large));
    }

    assert!(bench.session.outgoing().len() <= OUTBOX_MAX);
    assert_eq!(bench.session.dropped(), 7);
    let kinds: Vec<Kind> = bench.sent().iter().map(|answer| answer.kind).collect();
    assert_eq!(kinds, [Kind::Data, Kind::Status].repeat(3));
}

#[test]
fn an_answer_from_before_a_reconnect_is_forgotten() {
    let (mut bench, key) = Bench::with_object();
    bench.give(call_of("status", Table::default(), 1));
    let Some(Event::Call(call)) = bench.events().pop() else { panic!() };

    bench.session.disconnected(&mut bench.events);
    assert_eq!(bench.events(), [Event::Disconnected]);
    bench.session.answer(call.id, Ok(&Data::EMPTY));
    bench.greet();
    let add = bench.one();
    assert_eq!((add.kind, add.text.as_str()), (Kind::AddObject, "gwha"));
    bench.give_id(&add, 8002);
    assert_eq!(bench.events(), [Event::Connected, Event::Registered(key)]);
    bench.session.answer(call.id, Ok(&Data::EMPTY));
    assert_eq!(bench.sent(), []);
}

#[test]
fn a_call_of_ours_is_a_lookup_and_an_invoke() {
    let mut bench = Bench::up();
    let arguments = data(Table::default().with("name", "eth0"));
    let request = bench.session.call("network.device", "status", &arguments, S).unwrap();
    let lookup = bench.one();
    assert_eq!((lookup.kind, lookup.peer, lookup.text.as_str()), (Kind::Lookup, 0, "network.device"));

    bench.give(Builder::new(Kind::Data, lookup.seq, 0).path("network.device").object(555).object_type(1));
    bench.status(&lookup, Status::Ok);
    let invoke = bench.one();
    assert_eq!((invoke.kind, invoke.peer, invoke.object), (Kind::Invoke, 555, Some(555)));
    assert_eq!(invoke.text, r#"status {"name":"eth0"}"#);

    let answer = data(Table::default().with("carrier", true));
    bench.give(Builder::new(Kind::Data, invoke.seq, 555).object(555).data(&answer));
    assert_eq!(bench.events(), []);
    bench.status(&invoke, Status::Ok);
    assert_eq!(bench.events(), [Event::Reply(request, Ok(vec![answer]))]);
    assert_eq!(bench.session.next_deadline(), None);
}

#[test]
fn calls_fail_with_the_status_of_either_step() {
    let mut bench = Bench::up();
    let pattern = bench.session.call("net*", "x", &Data::EMPTY, S);
    assert_eq!(pattern, Err(CallError::Status(Status::InvalidArgument)));
    let request = bench.session.call("nobody", "x", &Data::EMPTY, S).unwrap();
    let lookup = bench.one();
    bench.status(&lookup, Status::NotFound);
    let error = |request, error| Event::Reply(request, Err(error));
    assert_eq!(bench.events(), [error(request, CallError::NoObject)]);

    // Found, but hidden: ubusd sends no DATA for an object of which we may call nothing.
    let request = bench.session.call("hidden", "x", &Data::EMPTY, S).unwrap();
    let lookup = bench.one();
    bench.status(&lookup, Status::Ok);
    assert_eq!(bench.events(), [error(request, CallError::NoObject)]);

    // The object itself may say "not found" too: of what it was asked for.
    for (owner, status, expected) in [
        (true, Status::MethodNotFound, CallError::Status(Status::MethodNotFound)),
        (true, Status::NotFound, CallError::Status(Status::NotFound)),
        (false, Status::NotFound, CallError::NoObject),
        (false, Status::PermissionDenied, CallError::Status(Status::PermissionDenied)),
    ] {
        let request = bench.session.call("network", "x", &Data::EMPTY, S).unwrap();
        let lookup = bench.one();
        bench.give_id(&lookup, 555);
        let invoke = bench.one();
        let end = Builder::new(Kind::Status, invoke.seq, 555).status(status);
        bench.give(if owner { end.object(555) } else { end });
        assert_eq!(bench.events(), [error(request, expected)]);
    }
}

#[test]
fn a_call_ends_at_its_deadline_whatever_step_it_is_in() {
    let mut bench = Bench::up();
    let first = bench.session.call("a", "x", &Data::EMPTY, S).unwrap();
    let second = bench.session.call("b", "x", &Data::EMPTY, 2 * S).unwrap();
    let lookups = bench.sent();
    bench.give_id(&lookups[1], 555);
    let invoke = bench.one();

    bench.pass(S).unwrap();
    assert_eq!(bench.events(), [Event::Reply(first, Err(CallError::Deadline))]);
    assert_eq!(bench.session.next_deadline(), Some(2 * S));
    bench.pass(S).unwrap();
    assert_eq!(bench.events(), [Event::Reply(second, Err(CallError::Deadline))]);

    bench.give_id(&lookups[0], 1);
    bench.status(&invoke, Status::Ok);
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![]), "late answers are ignored");
}

#[test]
fn answers_are_told_apart_by_seq_and_peer() {
    let mut bench = Bench::up();
    let request = bench.session.lookup("a", S).unwrap();
    let lookup = bench.one();

    bench.give(Builder::new(Kind::Status, lookup.seq, 99).status(Status::Ok));
    bench.give(Builder::new(Kind::Status, lookup.seq + 1, 0).status(Status::Ok));
    bench.give(Builder::new(Kind::Status, lookup.seq, 0));
    assert_eq!(bench.events(), []);

    bench.status(&lookup, Status::Ok);
    assert_eq!(bench.events(), [Event::Found(request, Ok(vec![]))]);
}

#[test]
fn a_lookup_finds_all_that_match() {
    let mut bench = Bench::up();
    let request = bench.session.lookup("network*", S).unwrap();
    let lookup = bench.one();
    let signature = object().signature().unwrap();
    for (path, id) in [("network", 1), ("network.device", 2)] {
        let found = Builder::new(Kind::Data, lookup.seq, 0).path(path).object(id).object_type(9);
        bench.give(found.signature(&signature));
    }
    bench.status(&lookup, Status::Ok);

    let found = |path: &str, id| Found { path: path.into(), id, signature: signature.clone() };
    let all = vec![found("network", 1), found("network.device", 2)];
    assert_eq!(bench.events(), [Event::Found(request, Ok(all))]);
}

#[test]
fn an_endless_answer_is_not_kept() {
    let mut bench = Bench::up();
    let request = bench.session.lookup("*", S).unwrap();
    let lookup = bench.one();
    for _ in 0..20_000 {
        bench.give(Builder::new(Kind::Data, lookup.seq, 0).path("p").object(1));
    }
    bench.status(&lookup, Status::Ok);
    assert_eq!(bench.events(), [Event::Found(request, Err(CallError::TooLong))]);
}

#[test]
fn open_requests_have_a_limit() {
    let mut bench = Bench::up();
    let started = (0..1000).filter(|_| bench.session.lookup("a", S).is_ok()).count();
    assert_eq!(started, 128);
    assert_eq!(bench.session.lookup("a", S), Err(CallError::Busy));
    bench.pass(S).unwrap();
    assert_eq!(bench.events().len(), 128);
    assert!(bench.session.lookup("a", 2 * S).is_ok());
}

#[test]
fn seq_of_an_open_request_is_not_used_again() {
    let mut bench = Bench::up();
    let open = bench.session.lookup("a", S).unwrap();
    let lookup = bench.one();
    for _ in 0..70_000 {
        bench.session.send_event("x", &Data::EMPTY).unwrap();
        assert_ne!(bench.one().seq, lookup.seq);
    }
    bench.status(&lookup, Status::Ok);
    assert_eq!(bench.events(), [Event::Found(open, Ok(vec![]))]);
}

#[test]
fn a_broken_connection_fails_what_is_under_way() {
    let mut bench = Bench::up();
    let call = bench.session.call("a", "x", &Data::EMPTY, S).unwrap();
    let lookup = bench.session.lookup("a", S).unwrap();

    bench.session.disconnected(&mut bench.events);

    let gone = CallError::Disconnected;
    let reply = Event::Reply(call, Err(gone));
    assert_eq!(bench.events(), [reply, Event::Found(lookup, Err(gone)), Event::Disconnected]);
    assert_eq!((bench.session.outgoing(), bench.session.next_deadline()), (&b""[..], None));
    bench.session.disconnected(&mut bench.events);
    assert_eq!(bench.events(), []);
}

#[test]
fn events_are_sent_and_heard() {
    let mut bench = Bench::up();
    bench.session.send_event("gwha", &data(Table::default().with("to", "master"))).unwrap();
    let event = bench.one();
    assert_eq!((event.kind, event.peer, event.object), (Kind::Invoke, 1, Some(1)));
    assert_eq!(event.text, r#"send {"id":"gwha","data":{"to":"master"}}"#);

    let key = bench.session.listen(0, "network.*");
    let add = bench.one();
    bench.give_id(&add, 7001);
    let listen = bench.one();
    assert_eq!((listen.peer, listen.object), (1, Some(1)));
    assert_eq!(listen.text, r#"register {"object":7001,"pattern":"network.*"}"#);
    assert_eq!(bench.events(), []);
    bench.status(&listen, Status::Ok);
    assert_eq!(bench.events(), [Event::Registered(key)]);

    let table = data(Table::default().with("action", "ifup"));
    bench.give(Builder::new(Kind::Invoke, 5, 0).object(7001).method("network.interface").data(&table));
    assert_eq!(bench.events(), [Event::Heard(key, "network.interface".into(), table.clone())]);
    bench.give(Builder::new(Kind::Invoke, 5, 4321).object(7001).method("network.fake").data(&table));
    assert_eq!((bench.events(), bench.sent()), (vec![], vec![]), "only ubusd itself sends events");
}

#[test]
fn object_ids_are_signed_on_the_wire() {
    let mut bench = Bench::up();
    bench.session.listen(0, "x");
    let add = bench.one();
    bench.give_id(&add, 0xffff_fffe);
    assert_eq!(bench.one().text, r#"register {"object":-2,"pattern":"x"}"#);
}

#[test]
fn a_followed_object_is_subscribed_to() {
    let (mut bench, key, lookup) = Bench::with_follower();
    bench.give_id(&lookup, 555);
    let subscribe = bench.one();
    assert_eq!((subscribe.object, subscribe.target), (Some(7001), Some(555)));
    bench.status(&subscribe, Status::Ok);
    assert_eq!(bench.events(), [Event::Registered(key)]);

    let table = data(Table::default().with("name", "eth0"));
    let notification =
        |seq| Builder::new(Kind::Invoke, seq, 4321).object(7001).method("link_up").data(&table);
    bench.give(notification(3).no_reply());
    assert_eq!(bench.events(), [Event::Notified(key, "link_up".into(), table.clone())]);
    assert_eq!(bench.sent(), []);
    bench.give(notification(4));
    let answer = bench.one();
    assert_eq!((answer.seq, answer.peer, answer.status), (4, 4321, Some(Status::Ok)));
}

#[test]
fn a_followed_object_may_come_late_go_and_come_again() {
    let (mut bench, key, lookup) = Bench::with_follower();
    bench.status(&lookup, Status::NotFound);
    assert_eq!(bench.events(), [Event::Gone(key)]);

    bench.give(object_added("network", 500));
    assert_eq!(bench.sent(), []);
    bench.give(object_added("network.device", 0xf000_0001));
    let subscribe = bench.one();
    assert_eq!(subscribe.target, Some(0xf000_0001));
    bench.status(&subscribe, Status::Ok);
    assert_eq!(bench.events(), [Event::Registered(key)]);

    bench.give(Builder::new(Kind::Unsubscribe, 1, 0).object(7001).target(1));
    assert_eq!(bench.events(), [], "another target");
    bench.give(Builder::new(Kind::Unsubscribe, 1, 0).object(7001).target(0xf000_0001));
    assert_eq!(bench.events(), [Event::Gone(key)]);
    bench.give(object_added("network.device", 502));
    assert_eq!(bench.one().target, Some(502));
}

#[test]
fn an_object_that_goes_while_it_is_subscribed_to_is_looked_for_again() {
    let (mut bench, key, lookup) = Bench::with_follower();
    bench.give_id(&lookup, 555);
    let subscribe = bench.one();
    bench.status(&subscribe, Status::NotFound);
    assert_eq!(bench.events(), [Event::Refused(key, Status::NotFound)]);

    bench.pass(RETRY_US).unwrap();

    assert_eq!(bench.one().kind, Kind::Lookup);
}

#[test]
fn a_refused_object_is_tried_again_and_reported_once() {
    let mut bench = Bench::up();
    let key = bench.session.publish(0, object());
    for attempt in 0..3 {
        let add = bench.one();
        bench.status(&add, Status::InvalidArgument);
        let expected = if attempt == 0 { vec![Event::Refused(key, Status::InvalidArgument)] } else { vec![] };
        assert_eq!(bench.events(), expected);
        assert_eq!(bench.session.next_deadline(), Some(bench.now + RETRY_US));
        bench.pass(RETRY_US).unwrap();
    }
    let add = bench.one();
    bench.give_id(&add, 7001);
    assert_eq!(bench.events(), [Event::Registered(key)]);
    assert_eq!(bench.session.next_deadline(), None);
}

#[test]
fn everything_is_registered_again_at_a_new_ubusd() {
    let mut bench = Bench::up();
    bench.session.publish(0, object());
    bench.session.listen(0, "x");
    bench.session.follow(0, "y");
    for round in 0..3 {
        let adds = bench.sent();
        let texts: Vec<&str> = adds.iter().map(|add| add.text.as_str()).collect();
        assert_eq!(texts, ["gwha", "", ""]);
        for (add, id) in adds.iter().zip(1..) {
            bench.give_id(add, 7000 + 10 * round + id);
        }
        let listens = bench.sent();
        assert_eq!(listens.len(), 2);
        bench.status(&listens[0], Status::Ok);
        bench.status(&listens[1], Status::Ok);
        let lookup = bench.one();
        bench.give_id(&lookup, 555);
        let subscribe = bench.one();
        bench.status(&subscribe, Status::Ok);
        assert_eq!(bench.events().iter().filter(|event| matches!(event, Event::Registered(_))).count(), 3);

        bench.session.disconnected(&mut bench.events);
        bench.greet();
        assert_eq!(bench.events(), [Event::Disconnected, Event::Connected]);
    }
}

#[test]
fn what_is_removed_is_withdrawn_also_if_its_answer_is_still_to_come() {
    let (mut bench, key) = Bench::with_object();
    bench.session.remove(key);
    let remove = bench.one();
    assert_eq!((remove.kind, remove.object), (Kind::RemoveObject, Some(7001)));
    bench.status(&remove, Status::Ok);

    let key = bench.session.publish(0, object());
    let add = bench.one();
    bench.session.remove(key);
    bench.give_id(&add, 7002);
    let remove = bench.one();
    assert_eq!((remove.kind, remove.object), (Kind::RemoveObject, Some(7002)));
    assert_eq!(bench.events(), []);
}

#[test]
fn nothing_is_told_about_what_was_removed_while_its_answer_was_to_come() {
    for status in [Status::Ok, Status::NotFound, Status::InvalidArgument] {
        let (mut bench, key, lookup) = Bench::with_follower();
        bench.session.remove(key);
        bench.status(&lookup, status);
        assert_eq!(bench.events(), [], "after a lookup");

        let (mut bench, key, lookup) = Bench::with_follower();
        bench.give_id(&lookup, 555);
        let subscribe = bench.one();
        bench.session.remove(key);
        bench.status(&subscribe, status);
        assert_eq!(bench.events(), [], "after a subscription");

        let mut bench = Bench::up();
        let key = bench.session.publish(0, object());
        let add = bench.one();
        bench.session.remove(key);
        bench.status(&add, status);
        assert_eq!(bench.events(), [], "after a new object");
    }
}

#[test]
fn notifications_need_a_published_object() {
    let mut bench = Bench::up();
    let key = bench.session.publish(0, object());
    assert_eq!(bench.session.notify(key, "role", &Data::EMPTY), Err(CallError::Disconnected));
    let add = bench.one();
    bench.give_id(&add, 7001);

    bench.session.notify(key, "role", &data(Table::default().with("to", "master"))).unwrap();

    let bytes = bench.session.outgoing().to_vec();
    let notify = bench.one();
    assert_eq!((notify.kind, notify.object), (Kind::Notify, Some(7001)));
    assert_eq!(notify.text, r#"role {"to":"master"}"#);
    assert!(bytes.windows(5).any(|window| window == [10, 0, 0, 5, 1]), "NO_REPLY is set");
}

#[test]
fn the_owner_learns_whether_anybody_subscribed() {
    let (mut bench, key) = Bench::with_object();
    bench.give(Builder::new(Kind::Notify, 1, 0).object(7001).raw(9, &[1]));
    bench.give(Builder::new(Kind::Notify, 2, 0).object(7001).raw(9, &[0]));
    let expected = [Subscribers::Some, Subscribers::None].map(|some| Event::Subscribers(key, some));
    assert_eq!(bench.events(), expected);
    assert_eq!(bench.sent(), []);
}

#[test]
fn garbage_ends_the_connection_and_not_the_program() {
    let mut bench = Bench::up();
    let result = bench.session.receive(0, &[0xff; 100], &mut bench.events);
    assert!(matches!(result, Err(Violation::Frame(_))));
}
