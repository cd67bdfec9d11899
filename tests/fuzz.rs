//! The bodies of the fuzz targets, over the seeds in `fuzz/seeds` and some random bytes.

#[path = "../fuzz/src/lib.rs"]
mod bodies;

use std::path::Path;

use proptest::prelude::*;

fn over_seeds(target: &str, body: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let files: Vec<_> = std::fs::read_dir(&seeds).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty(), "{} is empty", seeds.display());
    for file in files {
        eprintln!("{}", file.display());
        body(&std::fs::read(file).unwrap());
    }
}

#[test]
fn ubus_blob_survives_its_seeds() {
    over_seeds("ubus_blob", bodies::ubus::blob);
}

#[test]
fn ubus_blobmsg_survives_its_seeds() {
    over_seeds("ubus_blobmsg", bodies::ubus::blobmsg);
}

#[test]
fn ubus_session_survives_its_seeds() {
    over_seeds("ubus_session", bodies::ubus::session);
}

#[test]
fn peer_frames_survive_their_seeds() {
    over_seeds("peer_frames", bodies::peer::frames);
}

#[test]
fn peer_session_survives_its_seeds() {
    over_seeds("peer_session", bodies::peer::session);
}

#[test]
fn leases_survive_their_seeds() {
    over_seeds("leases", bodies::peer::leases);
}

#[test]
fn pairing_survives_its_seeds() {
    over_seeds("pair", bodies::pair::messages);
}

#[test]
fn files_survive_their_seeds() {
    over_seeds("files", bodies::files::files);
}

proptest! {
    #[test]
    fn pairing_survives_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        bodies::pair::messages(&bytes);
    }

    #[test]
    fn files_survive_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        bodies::files::files(&bytes);
    }

    #[test]
    fn peer_survives_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        bodies::peer::frames(&bytes);
        bodies::peer::session(&bytes);
        bodies::peer::leases(&bytes);
    }

    #[test]
    fn ubus_survives_random_bytes(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        bodies::ubus::blob(&bytes);
        bodies::ubus::blobmsg(&bytes);
        bodies::ubus::session(&bytes);
    }
}
