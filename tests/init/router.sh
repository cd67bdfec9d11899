#!/bin/sh
# The init script under the real rc.common, procd, ubusd, busybox and opkg.
#
#   OPENWRT_ROOT=DIR tests/init/router.sh IPK [NEWER_IPK]
#
# DIR is an unpacked OpenWrt root file system for x86_64 (the rootfs.tar.gz of
# a release). It is copied, and nothing in it is changed. The packages must be
# for x86_64. Needs root: everything runs in namespaces of its own.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

if [ -z "${OPENWRT_ROOT:-}" ]; then
	echo "skip  init script on a router: set OPENWRT_ROOT to an OpenWrt root file system (x86_64)"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
cp -a "$OPENWRT_ROOT/." "$root/"
mkdir -p "$root/test" "$root/proc" "$root/dev" "$root/tmp"
cp "$here/router-cases.sh" "$here/stand-in-daemon.sh" "$here/../packaging/lib.sh" "$root/test/"
# A feed, and what it is after the next release.
feed() {
	mkdir "$root/test/$2"
	cp "$1" "$root/test/$2/"
	"$here/../../tools/ipk.sh" index "$root/test/$2" >/dev/null
}
feed "$1" feed
[ $# -lt 2 ] || feed "$2" newer

# PID 1 of the namespace is the test itself: when it ends, all it started does.
# shellcheck disable=SC2016  # for the inner shell
unshare --mount --pid --net --ipc --uts --fork sh -c '
	mount -t proc proc "$1/proc"
	mount --rbind /dev "$1/dev"
	mount -t tmpfs tmpfs "$1/tmp"
	mkdir -p "$1/tmp/run" "$1/tmp/lock" "$1/tmp/log"
	ip link set lo up
	ip link add lan0 type veth peer name lan0-far
	ip link set lan0-far up
	ip link set lan0 up
	exec chroot "$1" /bin/sh /test/router-cases.sh
' sh "$root"
