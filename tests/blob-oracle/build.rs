//! Compiles the C side, against the headers that libubox-sys has installed.

fn main() {
    let include = std::env::var("DEP_UBOX_INCLUDE").expect("libubox-sys says where its headers are");
    println!("cargo:rerun-if-changed=src/oracle.c");
    cc::Build::new().file("src/oracle.c").include(include).flag("-Wno-unused-function").compile("oracle");
    println!("cargo:rustc-link-lib=static=blobmsg_json");
    println!("cargo:rustc-link-lib=static=ubox");
    println!("cargo:rustc-link-lib=dylib=json-c");
}
