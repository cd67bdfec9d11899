//! The library's side of the bus: programs that serve, call, listen and follow, at each bus.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use gwha::ubus::inbox::Inbox;
use gwha::ubus::message::Builder;
use gwha::ubus::session::{CallError, Event, Subscribers};
use gwha::ubus::{Data, Kind, Status};
use nix::sys::signal::Signal;

use crate::daemon::{self, Daemon, installed};
use crate::program::{Program, large, run_for, table, ubus, until, wait};

pub fn at_each_bus(test: fn(&mut Daemon)) {
    for kind in daemon::kinds() {
        eprintln!("at {kind:?}:");
        test(&mut Daemon::start(kind));
    }
}

#[test]
fn methods_are_called_and_answered() {
    at_each_bus(|bus| {
        let (mut server, _) = Program::serving(&bus.socket(), "gwha");
        let mut client = Program::connected(&bus.socket());
        let mut call = |method, data: &str| client.call(&mut [&mut server], "gwha", method, &table(data));
        let refused = |status| Err(CallError::Status(status));

        assert_eq!(
            call("echo", r#"{"x":{"a":[1,2.5,null,true,"ä"]}}"#).unwrap(),
            [table(r#"{"x":{"a":[1,2.5,null,true,"ä"]}}"#)]
        );
        assert_eq!(call("echo", "{}"), Ok(vec![]));
        assert_eq!(call("switch", r#"{"to":"a"}"#), refused(Status::NotSupported));
        assert_eq!(call("switch", "{}"), refused(Status::InvalidArgument));
        assert_eq!(call("switch", r#"{"to":1}"#), refused(Status::InvalidArgument));
        assert_eq!(call("switch", r#"{"to":"a","x":1}"#), refused(Status::InvalidArgument));
        assert_eq!(call("nonsense", "{}"), refused(Status::MethodNotFound));
        assert_eq!(client.call(&mut [], "nobody", "x", &Data::EMPTY), Err(CallError::NoObject));
    });
}

#[test]
fn a_call_may_be_answered_late_and_others_meanwhile() {
    at_each_bus(|bus| {
        let (mut server, _) = Program::serving(&bus.socket(), "gwha");
        let mut client = Program::connected(&bus.socket());
        let deadline = client.now() + 10_000_000;
        let late = client.connection.session().call("gwha", "later", &Data::EMPTY, deadline).unwrap();
        until(&mut [&mut client, &mut server], |all| !all[1].waiting.is_empty());

        for _ in 0..10 {
            assert!(client.call(&mut [&mut server], "gwha", "status", &Data::EMPTY).is_ok());
        }
        let answer = table(r#"{"done":true}"#);
        let id = server.waiting.remove(0);
        server.connection.session().answer(id, Ok(&answer));
        until(&mut [&mut client, &mut server], |all| !all[0].events.is_empty());
        assert_eq!(client.take(), [Event::Reply(late, Ok(vec![answer]))]);
    });
}

#[test]
fn an_owner_that_dies_during_a_call_costs_the_deadline_and_no_more() {
    at_each_bus(|bus| {
        let (mut server, _) = Program::serving(&bus.socket(), "gwha");
        let mut client = Program::connected(&bus.socket());
        let deadline = client.now() + 300_000;
        let call = client.connection.session().call("gwha", "later", &Data::EMPTY, deadline).unwrap();
        until(&mut [&mut client, &mut server], |all| !all[1].waiting.is_empty());
        drop(server);

        client.expect(Event::Reply(call, Err(CallError::Deadline)));

        assert!(client.now() >= deadline);
        let gone = client.call(&mut [], "gwha", "status", &Data::EMPTY);
        assert_eq!(gone, Err(CallError::NoObject));
    });
}

#[test]
fn lookups_show_what_is_published() {
    at_each_bus(|bus| {
        let (_server, _) = Program::serving(&bus.socket(), "gwha");
        let mut client = Program::connected(&bus.socket());
        let request = client.connection.session().lookup("gw*", 10_000_000).unwrap();
        until(&mut [&mut client], |all| !all[0].events.is_empty());
        let Some(Event::Found(id, Ok(found))) = client.take().pop() else { panic!() };
        assert_eq!((id, found.len(), found[0].path.as_str()), (request, 1, "gwha"));
        let signature = r#"{"status":{},"switch":{"to":3,"delay":5},"later":{},"dump":{},"echo":{"x":0}}"#;
        assert_eq!(found[0].signature, table(signature));
    });
}

#[test]
fn large_tables_pass_and_larger_ones_are_refused() {
    at_each_bus(|bus| {
        let (mut server, _) = Program::serving(&bus.socket(), "gwha");
        let mut client = Program::connected(&bus.socket());
        let data = large((1 << 20) - 200);
        let answer = client.call(&mut [&mut server], "gwha", "echo", &data).unwrap();
        assert!(answer == [data]);
        let result = client.call(&mut [&mut server], "gwha", "echo", &large((1 << 20) - 20));
        assert_eq!(result, Err(CallError::TooLong));
        assert!(client.call(&mut [&mut server], "gwha", "status", &Data::EMPTY).is_ok());
    });
}

#[test]
fn events_reach_those_who_listen() {
    at_each_bus(|bus| {
        let mut sender = Program::connected(&bus.socket());
        let mut listener = Program::connected(&bus.socket());
        let now = listener.now();
        let all = listener.connection.session().listen(now, "gwha.*");
        let one = listener.connection.session().listen(now, "gwha.role");
        until(&mut [&mut listener], |all| all[0].events.len() == 2);
        assert_eq!(listener.take(), [Event::Registered(all), Event::Registered(one)]);

        let data = table(r#"{"to":"master"}"#);
        sender.connection.session().send_event("gwha.role", &data).unwrap();
        sender.connection.session().send_event("other", &data).unwrap();
        sender.connection.session().send_event("gwha.peer", &Data::EMPTY).unwrap();
        until(&mut [&mut sender, &mut listener], |all| all[1].events.len() == 3);

        let mut heard = listener.take();
        let heard_by = |event: &Event| if let Event::Heard(key, ..) = event { Some(*key) } else { None };
        heard[..2].sort_by_key(heard_by);
        assert_eq!(
            heard,
            [
                Event::Heard(all, "gwha.role".into(), data.clone()),
                Event::Heard(one, "gwha.role".into(), data),
                Event::Heard(all, "gwha.peer".into(), Data::EMPTY),
            ]
        );
    });
}

#[test]
fn notifications_reach_followers_however_often_the_object_comes_and_goes() {
    at_each_bus(|bus| {
        let mut follower = Program::connected(&bus.socket());
        let now = follower.now();
        let followed = follower.connection.session().follow(now, "gwha");
        follower.expect(Event::Gone(followed));

        for round in 0..3 {
            let (mut owner, key) = Program::serving(&bus.socket(), "gwha");
            follower.expect(Event::Registered(followed));
            owner.expect(Event::Subscribers(key, Subscribers::Some));
            let data = table(&format!(r#"{{"round":{round}}}"#));
            owner.connection.session().notify(key, "role", &data).unwrap();
            owner.connection.flush();
            follower.expect(Event::Notified(followed, "role".into(), data));
            if round == 1 {
                owner.connection.session().remove(key);
                owner.connection.flush();
                follower.expect(Event::Gone(followed));
                let key = owner.publish("gwha");
                owner.expect(Event::Registered(key));
                follower.expect(Event::Registered(followed));
                owner.expect(Event::Subscribers(key, Subscribers::Some));
            }
            drop(owner);
            follower.expect(Event::Gone(followed));
        }
    });
}

#[test]
fn a_restarted_bus_gets_everything_again() {
    at_each_bus(|bus| {
        let (mut server, object) = Program::serving(&bus.socket(), "gwha");
        let mut client = Program::connected(&bus.socket());
        let now = client.now();
        let listening = client.connection.session().listen(now, "gwha");
        let following = client.connection.session().follow(now, "gwha");
        until(&mut [&mut client, &mut server], |all| all[0].events.len() == 2);
        client.take();

        for _ in 0..5 {
            let deadline = client.now() + 60_000_000;
            let call = client.connection.session().call("gwha", "later", &Data::EMPTY, deadline).unwrap();
            until(&mut [&mut client, &mut server], |all| !all[1].waiting.is_empty());
            bus.restart();
            until(&mut [&mut client, &mut server], |all| {
                all.iter().all(|program| !program.connection.is_up())
            });
            assert_eq!(
                client.take(),
                [Event::Reply(call, Err(CallError::Disconnected)), Event::Disconnected]
            );
            let gone = server.waiting.remove(0);
            server.connection.session().answer(gone, Ok(&Data::EMPTY));

            let registered = |events: &[Event], key| events.contains(&Event::Registered(key));
            until(&mut [&mut client, &mut server], |all| {
                registered(&all[1].events, object)
                    && registered(&all[0].events, listening)
                    && registered(&all[0].events, following)
            });
            client.take();
            server.take();
            assert!(client.call(&mut [&mut server], "gwha", "status", &Data::EMPTY).is_ok());
            let data = table(r#"{"to":"backup"}"#);
            server.connection.session().send_event("gwha", &data).unwrap();
            server.connection.session().notify(object, "role", &data).unwrap();
            until(&mut [&mut client, &mut server], |all| all[0].events.len() == 2);
            let heard = Event::Heard(listening, "gwha".into(), data.clone());
            assert_eq!(client.take(), [heard, Event::Notified(following, "role".into(), data)]);
        }
    });
}

#[test]
fn a_path_that_is_taken_is_ours_once_it_is_free() {
    at_each_bus(|bus| {
        let (first, _) = Program::serving(&bus.socket(), "gwha");
        let mut second = Program::connected(&bus.socket());
        let key = second.publish("gwha");
        second.expect(Event::Refused(key, Status::InvalidArgument));
        drop(first);
        let mut witness = Program::connected(&bus.socket());
        let gone = Err(CallError::NoObject);
        while witness.call(&mut [], "gwha", "status", &Data::EMPTY) != gone {}

        second.skipped += Duration::from_secs(5);

        second.expect(Event::Registered(key));
    });
}

#[test]
fn a_stopped_bus_stops_nobody_else() {
    at_each_bus(|bus| {
        let (mut server, _) = Program::serving(&bus.socket(), "gwha");
        let mut client = Program::connected(&bus.socket());
        bus.signal(Signal::SIGSTOP);
        let deadline = client.now() + 100_000;
        let call = client.connection.session().call("gwha", "status", &Data::EMPTY, deadline);
        for _ in 0..200 {
            let _ = client.connection.session().send_event("x", &large(100_000));
            wait(&mut [&mut client, &mut server]);
        }
        run_for(&mut [&mut client, &mut server], Duration::from_millis(150));
        bus.signal(Signal::SIGCONT);

        if call.is_ok() && bus.is_process() {
            let lost = |event: &Event| matches!(event, Event::Reply(_, Err(CallError::Deadline)));
            assert!(client.take().iter().any(lost));
            assert!(client.connection.session().dropped() > 100);
        }
        assert!(client.slowest < Duration::from_secs(1), "{:?}", client.slowest);
        assert!(client.call(&mut [&mut server], "gwha", "status", &Data::EMPTY).is_ok());
    });
}

#[test]
fn a_caller_that_floods_and_never_reads_delays_no_turn() {
    at_each_bus(|bus| {
        let (mut server, _) = Program::serving(&bus.socket(), "gwha");
        let mut client = Program::connected(&bus.socket());
        let id = id_of(&mut client, "gwha");
        let socket = bus.socket();
        let (stop, stopped) = mpsc::channel::<()>();
        let flood = std::thread::spawn(move || {
            let mut stream = UnixStream::connect(socket).unwrap();
            stream.set_nonblocking(true).unwrap();
            let call = Builder::new(Kind::Invoke, 1, id).object(id).method("status").data(&Data::EMPTY);
            let calls = call.finish().unwrap().repeat(500);
            while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                let _ = stream.write(&calls);
            }
        });

        server.busiest = Duration::ZERO;
        run_for(&mut [&mut server], Duration::from_millis(500));
        drop(stop);
        flood.join().unwrap();

        // ubusd itself may lose others' messages in a flood; what counts here is our own time.
        assert!(server.busiest < Duration::from_millis(50), "{:?}", server.busiest);
        assert!(server.calls >= 16, "the flood has come");
        let mut before = 0;
        while server.calls != before {
            before = server.calls;
            run_for(&mut [&mut server], Duration::from_millis(50));
        }
        assert!(client.call(&mut [&mut server], "gwha", "status", &Data::EMPTY).is_ok());
    });
}

fn id_of(client: &mut Program, path: &str) -> u32 {
    let deadline = client.now() + 5_000_000;
    client.connection.session().lookup(path, deadline).unwrap();
    until(&mut [client], |all| !all[0].events.is_empty());
    let Some(Event::Found(_, Ok(found))) = client.take().pop() else { panic!() };
    found[0].id
}

#[test]
fn a_client_that_does_not_read_loses_messages_but_not_its_place_in_the_stream() {
    at_each_bus(|bus| {
        let mut stream = UnixStream::connect(bus.socket()).unwrap();
        let publish = Builder::new(Kind::AddObject, 1, 0).path("sloth").signature(&Data::EMPTY);
        stream.write_all(&publish.finish().unwrap()).unwrap();
        let mut client = Program::connected(&bus.socket());
        let id = id_of(&mut client, "sloth");
        let call = Builder::new(Kind::Invoke, 2, id).object(id).method("x").data(&large(60_000));
        let call = call.finish().unwrap();
        let mut caller = UnixStream::connect(bus.socket()).unwrap();
        for _ in 0..100 {
            caller.write_all(&call).unwrap();
        }
        // The bus has taken them all when it answers somebody who comes later.
        let ping = Builder::new(Kind::Ping, 3, 0).finish().unwrap();
        caller.write_all(&ping).unwrap();
        caller.read_exact(&mut [0; 12 + 12 + 20]).unwrap();

        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let mut inbox = Inbox::default();
        let mut buffer = vec![0; 100_000];
        let mut calls = 0;
        while let Ok(count) = stream.read(&mut buffer) {
            inbox.push(&buffer[..count]);
            while let Some(message) = inbox.next_message().unwrap() {
                calls += u32::from(message.header.kind == Kind::Invoke);
            }
        }
        // The queue of 1 MiB, and what the socket has taken.
        assert!((17..40).contains(&calls), "{calls}");
    });
}

#[test]
fn the_real_ubus_command_lists_and_calls() {
    at_each_bus(|bus| {
        if !installed("ubus") {
            eprintln!("the ubus command is not installed");
            return;
        }
        let (mut server, _) = Program::serving(&bus.socket(), "gwha");
        let socket = bus.socket();
        let mut run = |arguments: &[&str]| {
            let output = ubus(&socket, arguments, &mut [&mut server]);
            (output.code, output.text)
        };

        assert_eq!(run(&["list"]), (Some(0), "gwha\n".into()));
        let (code, text) = run(&["-v", "list", "gwha"]);
        assert_eq!(code, Some(0));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("'gwha' @"), "{text}");
        assert_eq!(
            lines[1..],
            [
                "\t\"status\":{}",
                "\t\"switch\":{\"to\":\"String\",\"delay\":\"Integer\"}",
                "\t\"later\":{}",
                "\t\"dump\":{}",
                "\t\"echo\":{\"x\":\"(unknown)\"}",
            ]
        );

        let (code, text) = run(&["call", "gwha", "status"]);
        assert_eq!(code, Some(0));
        let expected = serde_json::json!({"role": "master", "vrid": 51, "uptime": 12.5, "peers": []});
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);

        for (arguments, code) in [
            (&["call", "gwha", "switch"][..], 2),
            (&["call", "gwha", "switch", r#"{"to":1}"#], 2),
            (&["call", "gwha", "switch", r#"{"to":"a","more":1}"#], 2),
            (&["call", "gwha", "switch", r#"{"to":"a","delay":5}"#], 8),
            (&["call", "gwha", "status", r#"{"ubus_rpc_session":"0"}"#], 0),
            (&["call", "gwha", "nonsense"], 3),
            (&["call", "nobody", "status"], 4),
        ] {
            // The command exits with the status, or with its negative.
            let exit = run(arguments).0.unwrap();
            assert!([code, (256 - code) % 256].contains(&exit), "{arguments:?}: {exit}");
        }

        let echo =
            r#"{"x":{"big":5000000000,"min":-2147483648,"half":0.5,"no":false,"list":["ä","\u0007\"\\"]}}"#;
        let (_, text) = run(&["call", "gwha", "echo", echo]);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value, serde_json::from_str::<serde_json::Value>(echo).unwrap());
    });
}

#[test]
fn the_real_ubus_command_hears_events_and_notifications() {
    at_each_bus(|bus| {
        if !installed("ubus") {
            eprintln!("the ubus command is not installed");
            return;
        }
        let (mut server, object) = Program::serving(&bus.socket(), "gwha");
        for (verb, expected) in
            [("listen", r#"{ "gwha": {"to":"master"} }"#), ("subscribe", r#"{ "role": {"to":"master"} }"#)]
        {
            let mut child = Command::new(daemon::program("ubus"))
                .arg("-s")
                .arg(bus.socket())
                .args([verb, "gwha"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (lines, line) = mpsc::channel();
            let stdout = BufReader::new(child.stdout.take().unwrap());
            let reader = std::thread::spawn(move || {
                stdout.lines().map_while(Result::ok).try_for_each(|l| lines.send(l))
            });
            let data = table(r#"{"to":"master"}"#);
            let mut heard = None;
            // When it is ready to hear cannot be seen, so it is told until it does.
            while heard.is_none() {
                server.connection.session().send_event("gwha", &data).unwrap();
                server.connection.session().notify(object, "role", &data).unwrap();
                run_for(&mut [&mut server], Duration::from_millis(10));
                heard = line.try_recv().ok();
            }
            assert_eq!(heard.as_deref(), Some(expected));
            child.kill().unwrap();
            child.wait().unwrap();
            let _ = reader.join();
        }
    });
}
