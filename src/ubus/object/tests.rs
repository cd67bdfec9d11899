use super::super::Table;
use super::super::blobmsg::Type;
use super::super::value::Value;
use super::*;

const METHODS: &[Method] = &[
    Method { name: "status", arguments: &[] },
    Method {
        name: "set",
        arguments: &[
            Argument { name: "on", kind: Type::Bool, need: Need::Required },
            Argument { name: "limit", kind: Type::Int32, need: Need::Optional },
            Argument { name: "share", kind: Type::Double, need: Need::Optional },
            Argument { name: "any", kind: Type::Null, need: Need::Optional },
        ],
    },
];

fn object() -> Object {
    Object { path: "gwha".into(), methods: METHODS }
}

fn check(method: &str, arguments: &Table) -> Result<(), Status> {
    object().method(method.as_bytes()).unwrap().check(&Data::encode(arguments).unwrap())
}

#[test]
fn signature_names_methods_and_argument_types() {
    let signature = object().signature().unwrap();

    assert_eq!(format!("{signature:?}"), r#"{"status":{},"set":{"on":7,"limit":5,"share":8,"any":0}}"#);
    assert!(signature.as_bytes().starts_with(b"\x82\x00\x00\x10\x00\x06status\0\0\0\0\x82"));
}

#[test]
fn only_declared_methods_are_found() {
    assert_eq!(object().method(b"set").map(|method| method.name), Some("set"));
    assert!(object().method(b"se").is_none());
    assert!(object().method(b"").is_none());
}

#[test]
fn required_arguments_must_be_there() {
    assert_eq!(check("status", &Table::default()), Ok(()));
    assert_eq!(check("set", &Table::default()), Err(Status::InvalidArgument));
    assert_eq!(check("set", &Table::default().with("on", true)), Ok(()));
}

#[test]
fn types_must_fit() {
    let with = |name: &str, value: Value| check("set", &Table::default().with("on", true).with(name, value));

    assert_eq!(with("limit", 5.into()), Ok(()));
    assert_eq!(with("limit", (1i64 << 40).into()), Err(Status::InvalidArgument));
    assert_eq!(with("limit", 5.0.into()), Err(Status::InvalidArgument));
    assert_eq!(with("limit", "5".into()), Err(Status::InvalidArgument));
    assert_eq!(with("limit", true.into()), Err(Status::InvalidArgument));
    assert_eq!(with("limit", Value::Null), Err(Status::InvalidArgument));
    assert_eq!(with("share", 5.into()), Ok(()));
    assert_eq!(with("share", (1i64 << 40).into()), Ok(()));
    assert_eq!(with("any", vec![1, 2].into()), Ok(()));
    assert_eq!(check("set", &Table::default().with("on", 1)), Err(Status::InvalidArgument));
}

#[test]
fn unknown_arguments_are_refused_but_those_of_the_bus_are_not() {
    assert_eq!(check("status", &Table::default().with("verbose", true)), Err(Status::InvalidArgument));
    assert_eq!(check("status", &Table::default().with("ubus_rpc_session", "0123")), Ok(()));
}

#[test]
fn malformed_arguments_are_refused() {
    let method = object().method(b"status").unwrap();
    let data = Data::from_bytes(b"\x85\x00\x00\x09\0\0\0\0\x01\0\0\0".to_vec());
    assert_eq!(method.check(&data), Err(Status::InvalidArgument));
}
