//! Buses compared message by message: what each scene's clients say and hear must be what a real ubusd
//! was heard to say. `UPDATE_EXPECT=1` records the transcripts again, from a real ubusd only.

use std::path::{Path, PathBuf};

use gwha::ubus::message::Builder;
use gwha::ubus::{Data, Kind, Status, Table};

use crate::daemon::{self, Daemon};
use crate::scene::Scene;

/// Plays a scene at each bus, and compares.
fn play(name: &str, scene: fn(&mut Scene)) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ubus/transcripts").join(name);
    for kind in daemon::kinds() {
        let transcript = perform(kind, scene);
        if kind == daemon::Kind::Ubusd && std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &transcript).unwrap();
        }
        compare(kind, &path, &transcript);
    }
}

fn perform(kind: daemon::Kind, scene: fn(&mut Scene)) -> String {
    let daemon = Daemon::start(kind);
    let mut stage = Scene::new(daemon.socket());
    scene(&mut stage);
    stage.into_transcript()
}

fn compare(kind: daemon::Kind, path: &PathBuf, transcript: &str) {
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    for (number, (ours, recorded)) in transcript.lines().zip(expected.lines()).enumerate() {
        assert_eq!(ours, recorded, "{kind:?} differs from {} in line {}", path.display(), number + 1);
    }
    assert_eq!(transcript.lines().count(), expected.lines().count(), "{kind:?}: {}", path.display());
}

fn message(kind: Kind, seq: u16) -> Builder {
    Builder::new(kind, seq, 0)
}

fn data(json: &str) -> Data {
    Data::encode(&gwha::ubus::json::parse(json).unwrap()).unwrap()
}

/// Publishes an object with one method; returns its id.
fn publish(scene: &mut Scene, name: &'static str, seq: u16, path: &str) -> u32 {
    scene.say(name, message(Kind::AddObject, seq).path(path).signature(&data(r#"{"status":{}}"#)))
}

/// An object without a path.
fn anonymous(scene: &mut Scene, name: &'static str, seq: u16) -> u32 {
    scene.say(name, message(Kind::AddObject, seq))
}

fn invoke(object: u32, method: &str, seq: u16) -> Builder {
    Builder::new(Kind::Invoke, seq, object).object(object).method(method)
}

#[test]
fn greeting_ping_and_unknown_kinds() {
    play("greeting.txt", |scene| {
        scene.connect("a");
        scene.say("a", Builder::new(Kind::Ping, 1, 77));
        scene.say("a", Builder::new(Kind::Ping, 2, 0).method("echo").raw(99, b"any"));
        for kind in [Kind::Hello, Kind::Monitor, Kind::Unknown(12), Kind::Unknown(255)] {
            scene.say("a", Builder::new(kind, 3, 5));
        }
        scene.connect("b");
    });
}

#[test]
fn objects_are_added_and_removed() {
    play("objects.txt", |scene| {
        scene.connect("a");
        scene.connect("b");
        scene.chapter("with and without a signature");
        let full = data(r#"{"status":{},"switch":{"to":3,"any":0}}"#);
        let first = scene.say("a", message(Kind::AddObject, 1).path("full").signature(&full));
        scene.say("a", message(Kind::AddObject, 2).path("empty").signature(&Data::EMPTY));
        scene.say("a", message(Kind::AddObject, 3).path("typeless"));
        anonymous(scene, "a", 4);
        scene.say("a", message(Kind::AddObject, 5).signature(&full));
        scene.say("b", message(Kind::Lookup, 1));

        scene.chapter("paths that are taken or strange");
        publish(scene, "a", 6, "full");
        publish(scene, "b", 2, "full");
        publish(scene, "b", 3, "");
        publish(scene, "b", 4, "with space*");
        scene.say("b", message(Kind::Lookup, 5));

        scene.chapter("types");
        scene.say("b", message(Kind::AddObject, 6).path("unknown.type").object_type(12345));
        for signature in [
            &b"\x82\x00\x00\x08\x00\x00\x00\x00"[..],   // A method without a name.
            b"\x85\x00\x00\x09\x00\x01a\x00\x01\0\0\0", // A number of one byte.
            b"\x82\x00\x00\x0c",                        // Longer than what is there.
            b"\x83\x00\x00\x0a\x00\x01a\x00x\x00\0\0",  // A string instead of a table.
            b"\x02\x00\x00\x04",                        // No name at all.
        ] {
            let path = format!("signature{}", signature.len());
            scene.say("b", message(Kind::AddObject, 7).path(&path).raw(6, signature));
            scene.say("b", message(Kind::Lookup, 8).path(&path));
        }

        scene.chapter("removal");
        scene.say("b", message(Kind::RemoveObject, 9).object(first));
        scene.say("a", message(Kind::RemoveObject, 7).object(first));
        scene.say("a", message(Kind::RemoveObject, 8).object(first));
        scene.say("a", message(Kind::RemoveObject, 9));
        scene.say("a", message(Kind::RemoveObject, 10).object(1));
        publish(scene, "b", 10, "full");
    });
}

#[test]
fn a_type_can_be_used_again() {
    play("types.txt", |scene| {
        scene.connect("a");
        let first = publish(scene, "a", 1, "one");
        // The type's id is the second that the bus gave to this client's object.
        let kind = scene.last_type();
        let second = scene.say("a", message(Kind::AddObject, 2).path("two").object_type(kind));
        scene.say("a", message(Kind::Lookup, 3));
        scene.say("a", message(Kind::RemoveObject, 4).object(first));
        scene.say("a", message(Kind::RemoveObject, 5).object(second));
        scene.say("a", message(Kind::AddObject, 6).path("three").object_type(kind));
        scene.say("a", message(Kind::Lookup, 7));
    });
}

#[test]
fn lookups() {
    play("lookup.txt", |scene| {
        scene.connect("a");
        scene.connect("b");
        scene.say("b", message(Kind::Lookup, 1));
        for (seq, path) in
            ["network", "network.device", "network.interface.lan", "net", "system"].iter().enumerate()
        {
            publish(scene, "a", seq as u16, path);
        }
        for (seq, pattern) in
            ["network", "net*", "network.*", "*", "nothing", "nothing*", ""].iter().enumerate()
        {
            scene.say("b", Builder::new(Kind::Lookup, 100 + seq as u16, 5).path(pattern));
        }
        scene.say("b", message(Kind::Lookup, 200));
        scene.disconnect("a");
        scene.say("b", message(Kind::Lookup, 201));
        scene.say("b", message(Kind::Lookup, 202).path("*"));
    });
}

#[test]
fn calls() {
    play("calls.txt", |scene| {
        scene.connect("a");
        scene.connect("b");
        let caller = scene.client_id("b");
        let object = publish(scene, "a", 1, "gwha");

        scene.chapter("a call and its answer");
        scene.say("b", invoke(object, "status", 1).data(&data(r#"{"x":1}"#)));
        let answer = |kind, seq| Builder::new(kind, seq, caller).object(object);
        scene.say("a", answer(Kind::Data, 1).data(&data(r#"{"role":"master"}"#)));
        scene.say("a", answer(Kind::Data, 1).data(&data(r#"{"role":"again"}"#)));
        scene.say("a", answer(Kind::Status, 1).status(Status::Ok));
        scene.say("a", answer(Kind::Status, 1).status(Status::Other(200)));

        scene.chapter("two calls, answered the other way round");
        scene.say("b", invoke(object, "first", 2));
        scene.say("b", invoke(object, "second", 3).no_reply());
        scene.say("a", answer(Kind::Status, 3).status(Status::MethodNotFound));
        scene.say("a", answer(Kind::Status, 2).status(Status::Ok));

        scene.chapter("the header's peer does not matter");
        scene.say("b", Builder::new(Kind::Invoke, 4, 99).object(object).method("status"));
        scene.say("a", answer(Kind::Status, 4).status(Status::Ok));

        scene.chapter("answers that lack something, or are not his to give");
        scene.say("a", Builder::new(Kind::Status, 5, caller).status(Status::Ok));
        scene.say("a", answer(Kind::Status, 5));
        scene.say("a", answer(Kind::Data, 5));
        scene.say("b", answer(Kind::Status, 5).status(Status::Ok));
        scene.say("a", Builder::new(Kind::Status, 5, 4242).object(object).status(Status::Ok));
        scene.say("a", Builder::new(Kind::Status, 5, caller).object(1).status(Status::Ok));

        scene.chapter("calls that lack something");
        scene.say("b", invoke(4242, "status", 6));
        scene.say("b", Builder::new(Kind::Invoke, 7, object).object(object));
        scene.say("b", Builder::new(Kind::Invoke, 8, object).method("status"));
        scene.say("b", invoke(object, "", 9));
        scene.say("b", invoke(1, "nonsense", 10));
        scene.say("a", invoke(object, "own", 11).data(&Data::EMPTY));
    });
}

#[test]
fn an_owner_that_disappears() {
    play("owner.txt", |scene| {
        scene.connect("a");
        scene.connect("b");
        let object = publish(scene, "a", 1, "gwha");
        scene.say("b", invoke(object, "status", 1));
        scene.disconnect("a");
        scene.say("b", invoke(object, "status", 2));
        publish(scene, "b", 3, "gwha");
    });
}

#[test]
fn a_caller_that_disappears() {
    play("caller.txt", |scene| {
        scene.connect("a");
        scene.connect("b");
        let caller = scene.client_id("b");
        let object = publish(scene, "a", 1, "gwha");
        scene.say("b", invoke(object, "status", 1));
        scene.disconnect("b");
        scene.say("a", Builder::new(Kind::Status, 1, caller).object(object).status(Status::Ok));
    });
}

#[test]
fn subscriptions_and_notifications() {
    play("subscriptions.txt", |scene| {
        for name in ["a", "b", "c"] {
            scene.connect(name);
        }
        let owner = scene.client_id("a");
        let object = publish(scene, "a", 1, "gwha");
        let b = anonymous(scene, "b", 1);
        let c = anonymous(scene, "c", 1);
        let subscribe = |kind, seq, own, target| message(kind, seq).object(own).target(target);

        scene.chapter("subscriptions that are refused");
        scene.say("a", subscribe(Kind::Subscribe, 2, object, object));
        scene.say("b", subscribe(Kind::Subscribe, 2, c, object));
        scene.say("b", subscribe(Kind::Subscribe, 3, 4242, object));
        scene.say("b", subscribe(Kind::Subscribe, 4, b, 4242));
        scene.say("b", subscribe(Kind::Subscribe, 5, b, 1));
        scene.say("b", message(Kind::Subscribe, 6).object(b));
        scene.say("b", message(Kind::Subscribe, 7).target(object));
        scene.say("b", subscribe(Kind::Unsubscribe, 8, b, object));
        scene.say("b", subscribe(Kind::Unsubscribe, 8, c, object));
        scene.say("b", message(Kind::Unsubscribe, 9).object(b));

        scene.chapter("notifications without subscribers");
        let notify = |seq| Builder::new(Kind::Notify, seq, object).object(object).method("role");
        scene.say("a", notify(3).data(&data(r#"{"to":"master"}"#)));
        scene.say("a", notify(4).no_reply());
        scene.say("b", notify(10));
        scene.say("a", Builder::new(Kind::Notify, 5, object).object(4242).method("x"));
        scene.say("a", message(Kind::Notify, 6).object(object));

        scene.chapter("two subscribers, one of them twice");
        scene.say("b", subscribe(Kind::Subscribe, 11, b, object));
        scene.say("c", subscribe(Kind::Subscribe, 2, c, object));
        scene.say("b", subscribe(Kind::Subscribe, 12, b, object));
        scene.say("a", notify(7).data(&data(r#"{"to":"master"}"#)).no_reply());
        scene.say("a", notify(8).data(&data(r#"{"to":"backup"}"#)));
        scene.say("c", Builder::new(Kind::Status, 8, owner).object(c).status(Status::Ok));
        scene.say("a", notify(9).raw(10, &[0]));

        scene.chapter("they go");
        scene.say("b", subscribe(Kind::Unsubscribe, 13, b, object));
        scene.say("b", subscribe(Kind::Unsubscribe, 14, b, object));
        scene.say("b", subscribe(Kind::Unsubscribe, 15, b, object));
        scene.disconnect("c");

        scene.chapter("the target goes");
        scene.say("b", subscribe(Kind::Subscribe, 16, b, object));
        scene.say("a", message(Kind::RemoveObject, 10).object(object));
        scene.say("b", subscribe(Kind::Unsubscribe, 17, b, object));
        let object = publish(scene, "a", 11, "gwha");
        scene.say("b", subscribe(Kind::Subscribe, 18, b, object));
        scene.disconnect("a");
    });
}

#[test]
fn events() {
    play("events.txt", |scene| {
        for name in ["a", "b", "c"] {
            scene.connect(name);
        }
        let b = anonymous(scene, "b", 1);
        let c = anonymous(scene, "c", 1);
        let listen = |seq, object: u32, pattern: &str| {
            let table = Table::default().with("object", object as i32).with("pattern", pattern);
            invoke(1, "register", seq).data(&Data::encode(&table).unwrap())
        };

        scene.chapter("registrations that are refused");
        scene.say("b", invoke(1, "register", 2));
        scene.say("b", invoke(1, "register", 3).data(&data(r#"{"pattern":"x"}"#)));
        scene.say("b", invoke(1, "register", 4).data(&data(r#"{"object":5,"pattern":5}"#)));
        scene.say("b", listen(5, 5, "x"));
        scene.say("b", listen(6, 4242, "x"));
        scene.say("b", listen(7, c, "x"));
        scene.say("b", listen(8, b, ""));

        scene.chapter("events");
        scene.say("b", listen(9, b, "network.interface"));
        scene.say("b", listen(10, b, "network.*"));
        scene.say("c", listen(2, c, "*"));
        let send = |seq, json| invoke(1, "send", seq).data(&data(json));
        scene.say("a", send(1, r#"{"id":"network.interface","data":{"action":"ifup","n":[1,{"x":null}]}}"#));
        scene.say("a", send(2, r#"{"id":"network.device","data":{}}"#));
        scene.say("a", send(3, r#"{"id":"network","data":{}}"#));
        scene.say("b", send(11, r#"{"id":"network.interface","data":{"from":"b"}}"#));

        scene.chapter("events that are refused");
        scene.say("a", invoke(1, "send", 4));
        scene.say("a", send(5, r#"{"id":"x"}"#));
        scene.say("a", send(6, r#"{"id":"x","data":5}"#));
        scene.say("a", send(7, r#"{"id":5,"data":{}}"#));
        scene.say("a", send(8, r#"{"id":"ubus.object.add","data":{}}"#));
        scene.say("a", send(9, r#"{"id":"ubus","data":{}}"#));
        scene.say("a", send(10, r#"{"data":{"first":1},"id":"x","data2":1}"#));

        scene.chapter("objects come and go");
        let object = publish(scene, "a", 11, "gwha");
        publish(scene, "c", 12, "own");
        scene.say("a", message(Kind::RemoveObject, 13).object(object));
        publish(scene, "a", 14, "gwha");
        scene.disconnect("a");
        scene.say("b", message(Kind::RemoveObject, 15).object(b));
        scene.say("c", send(16, r#"{"id":"network.interface","data":{}}"#));
    });
}

#[test]
fn strange_attributes() {
    play("attributes.txt", |scene| {
        scene.connect("a");
        scene.connect("b");
        let object = publish(scene, "a", 1, "gwha");
        scene.say("b", message(Kind::Lookup, 1).raw(2, b"no nul"));
        scene.say("b", message(Kind::Lookup, 2).path("other").path("gwha"));
        scene.say("b", message(Kind::Lookup, 3).path("gwha").raw(2, b"no nul"));
        scene.say("b", message(Kind::Lookup, 4).raw(2, b"gwha\0tail\0"));
        scene.say("b", message(Kind::Invoke, 5).raw(3, &[1, 2, 3]).method("x"));
        scene.say("b", message(Kind::Invoke, 6).raw(3, &[0; 8]).object(object).method("x").raw(50, b"?"));
        scene.say("b", message(Kind::Invoke, 7).object(object).raw(4, b""));
        scene.say("b", message(Kind::Invoke, 8).object(object).method("x").raw(7, b"\xff\xff\xff\xff"));
        scene.say_raw("b", b"\x00\x04\x00\x09\0\0\0\0\x00\x00\x00\x0c\x02\x00\x00\x06x\x00\0\0");
        scene.say_raw("b", b"\x00\x04\x00\x0a\0\0\0\0\x00\x00\x00\x0a\x02\x00\x00\x06x\x00");
        scene.say_raw("b", b"\x00\x04\x00\x0b\0\0\0\0\x00\x00\x00\x0c\x02\x00\x00\x03\x03\x00\x00\x04");
        scene.say_raw("b", b"\x00\x04\x00\x0c\0\0\0\0\x7f\x00\x00\x0c\x82\x00\x00\x06x\x00\0\0");
    });
}

#[test]
fn the_length_limit() {
    play("length.txt", |scene| {
        scene.connect("a");
        scene.say("a", message(Kind::Ping, 1).raw(99, &vec![7; (1 << 20) - 8]));
        scene.connect("b");
        scene.throw("b", b"\x00\x03\x00\x01\0\0\0\0\x00\x10\x00\x04");
        scene.closed("b");
        scene.connect("c");
        scene.throw("c", b"\x00\x03\x00\x01\0\0\0\0\x00\x00\x00\x03");
        scene.closed("c");
        scene.say("a", message(Kind::Ping, 2));
    });
}
