//! procd: what to ask OpenWrt's service manager.

use crate::ubus::{Data, Table};

use super::Request;

/// Has every service reload that has asked to be reloaded when this UCI package changes, as `reload_config` does.
pub fn changed(package: &str) -> Request {
    let data = Table::default().with("package", package);
    let arguments = Table::default().with("type", "config.change").with("data", data);
    // A name that does not fit into a message is no package.
    let arguments = Data::encode(&arguments).unwrap_or_default();
    Request { object: "service".into(), method: "event", arguments }
}

#[cfg(test)]
mod tests {
    use crate::ubus::json::Layout;

    use super::*;

    #[test]
    fn request_is_what_procd_takes() {
        let text = changed("dhcp").arguments.to_json(Layout::Compact).unwrap();
        assert_eq!(text, r#"{"type":"config.change","data":{"package":"dhcp"}}"#);
    }
}
