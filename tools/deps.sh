#!/bin/sh
# tools/deps.sh SET...: installs the Debian packages that a set of make targets needs and this machine lacks.
#
# Sets: build  make, and what Rust itself needs to link a program
#       lab    network namespaces: make demo
#       e2e    lab, and the real keepalived: make e2e, make soak
#       bench  e2e, and what counts system calls: make bench
#       oracles  what OpenWrt's own libraries are built with: make oracles
#       cross  the sources of Rust's standard library for other processors: make mips
#       ipk    what packs .ipk files: make ipk, make dist
#       qemu   ipk, and emulators of the routers' processors: make cross-test
#       packaging  ipk, and what looks at packages and scripts: make packaging
#       luci   lab, a browser, and what its tests run in: make luci
#
# Nothing is installed, and no root is needed, where everything is there already.
set -eu
PATH=$PATH:/usr/sbin:/sbin

# Programs (or files) of a set, each with the package that has it.
programs() {
    case $1 in
    build) echo "cc=gcc,libc6-dev make=make" ;;
    lab) echo "ip=iproute2 nft=nftables unshare=util-linux mount=mount hostname=hostname" ;;
    e2e) echo "$(programs lab) keepalived=keepalived ping=iputils-ping dnsmasq=dnsmasq-base busybox=busybox conntrackd=conntrackd /etc/protocols=netbase conntrack=conntrack radvd=radvd" ;;
    bench) echo "$(programs e2e) strace=strace" ;;
    oracles) echo "cmake=cmake pkg-config=pkg-config /usr/lib/llvm-*/lib/libclang.so*=libclang-dev /usr/include/json-c/json.h=libjson-c-dev" ;;
    cross) echo "apt-get=apt dpkg=dpkg awk=mawk" ;;
    ipk) echo "$(programs cross) tar=tar git=git make=make libdeflate-gzip=libdeflate-tools" ;;
    qemu) echo "$(programs ipk) qemu-mips-static=qemu-user-static" ;;
    packaging) echo "$(programs ipk) shellcheck=shellcheck readelf=binutils python3=python3 unshare=util-linux" ;;
    luci) echo "$(programs lab) node=nodejs npm=npm chromium=chromium xgettext=gettext /usr/share/fonts/truetype/dejavu=fonts-dejavu-core" ;;
    *) echo "tools/deps.sh: unknown set '$1' (build, lab, e2e, bench, oracles, cross, ipk, qemu, packaging, luci)" >&2; exit 2 ;;
    esac
}

# Whether a program, or a file that a pattern describes, is there.
present() {
    case $1 in
    /*)
        set +f
        # shellcheck disable=SC2086 # The pattern is meant to be expanded.
        found=$(ls -d $1 2>/dev/null || true)
        set -f
        [ -n "$found" ]
        ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

set -f
missing=
for set in "$@"; do
    list=$(programs "$set")
    for entry in $list; do
        package=$(echo "${entry#*=}" | tr , ' ')
        case "$missing " in *" $package "*) continue ;; esac
        present "${entry%%=*}" || missing="$missing $package"
    done
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "Please install (these are Debian's package names):$missing" >&2
    exit 1
fi
as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "Please run as root:  apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "Installing$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # The list is meant to be split.
install() { $as_root apt-get install -qq -y -o DPkg::Lock::Timeout=300 --no-install-recommends $missing >/dev/null; }
# A fresh machine has no package lists yet, and an old one may have lists that are too old.
install 2>/dev/null || { $as_root apt-get update -qq && install; }
