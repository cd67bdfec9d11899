//! procd: what to ask OpenWrt's service manager, and how to read its answers.

use crate::ubus::blobmsg::Content;
use crate::ubus::{Data, Table};

use super::Request;

/// How a service is, as procd sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// procd has no definition of it: it was never started, or stopped by its init script. Its `start` is needed.
    Unknown,
    /// Defined, but no instance of it runs.
    Stopped,
    /// At least one instance runs.
    Running,
}

/// What a service is wanted to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// No instance runs.
    Stopped,
    /// All instances run.
    Running,
}

/// Asks for a service; the answer is for [`service`].
pub fn list(name: &str) -> Request {
    request("list", Table::default().with("name", name))
}

/// Starts or stops all instances of a service that procd has a definition of. It answers at once; the instances follow
/// in their own time. Of an unknown service: [`Status::NotFound`](crate::ubus::Status::NotFound).
pub fn state(name: &str, wanted: Wanted) -> Request {
    request("state", Table::default().with("spawn", wanted == Wanted::Running).with("name", name))
}

/// How the service `name` is, by an answer to [`list`].
pub fn service(answer: &Data, name: &str) -> Service {
    let Some(service) = answer.fields().named(name) else { return Service::Unknown };
    let Some(instances) = service.inside().named("instances") else { return Service::Unknown };
    let mut all = instances.inside().flatten();
    let is_running = all.any(|it| it.content.inside().named("running").and_then(Content::flag) == Some(true));
    if is_running { Service::Running } else { Service::Stopped }
}

fn request(method: &'static str, arguments: Table) -> Request {
    // A name that does not fit into a message does not exist: procd answers so.
    Request { object: "service".into(), method, arguments: Data::encode(&arguments).unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use crate::ubus::json::{self, Layout};

    use super::*;

    #[test]
    fn service_is_running_stopped_or_unknown() {
        // As procd of August 2026 answers.
        let running = r#"{"miniupnpd":{"instances":{"miniupnpd":{"running":true,"pid":2211,
            "command":["/usr/sbin/miniupnpd","-f"],"term_timeout":5,
            "respawn":{"threshold":3600,"timeout":5,"retry":5}}}}}"#;
        let killed = r#"{"miniupnpd":{"instances":{"miniupnpd":{"running":false,"exit_code":137}}}}"#;
        let cases = [
            (running, Service::Running),
            (killed, Service::Stopped),
            (r#"{"miniupnpd":{}}"#, Service::Unknown),
            (r#"{"other":{"instances":{"a":{"running":true}}}}"#, Service::Unknown),
            ("{}", Service::Unknown),
        ];
        for (text, expected) in cases {
            let answer = Data::encode(&json::parse(text).unwrap()).unwrap();
            assert_eq!(service(&answer, "miniupnpd"), expected, "{text}");
        }
    }

    #[test]
    fn request_is_what_procd_takes() {
        let text = |request: Request| request.arguments.to_json(Layout::Compact).unwrap();
        assert_eq!(text(list("odhcpd")), r#"{"name":"odhcpd"}"#);
        assert_eq!(text(state("odhcpd", Wanted::Running)), r#"{"spawn":true,"name":"odhcpd"}"#);
        assert_eq!(text(state("odhcpd", Wanted::Stopped)), r#"{"spawn":false,"name":"odhcpd"}"#);
    }
}
