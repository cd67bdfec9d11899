#!/bin/sh
# Everything about the packages that one machine can check.
#
# Parts that need OpenWrt's own programs are skipped where these are not given:
#   OPENWRT_ROOT   an unpacked x86_64 root file system    (tests/init/router.sh)
#   OPENWRT_TREE   a buildroot or SDK                     (openwrt.sh)
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
part() {
	echo
	echo "## $1"
	shift
	"$@" || status=1
}

part "shell scripts" shellcheck -x tools/*.sh tests/packaging/*.sh tests/init/*.sh openwrt/gwha/test.sh
# The router's shell is ash, which has local.
part "scripts for the router" shellcheck -s dash -e SC3043 files/etc/init.d/gwha files/etc/uci-defaults/95-gwha
# shellcheck disable=SC2317  # run by part
same_flags() {
	sed -n "s/^ *'\(--cfg=.*\)',\$/\1/p" .cargo/config.toml | sed 's/"/\\"/g' | while read -r flag; do
		grep -qF -- "$flag" openwrt/gwha/Makefile || { echo "openwrt/gwha/Makefile lacks $flag"; exit 1; }
	done
}
part "the flags of .cargo/config.toml are in OpenWrt's Makefile" same_flags
part "the init script asks procd for the right things" tests/init/definition.sh

program=$(tools/cross.sh build x86_64)
tools/ipk.sh gwha x86_64 "$program" "$work/feed" >/dev/null
part "the package, field by field" tests/packaging/ipk.sh "$work"/feed/gwha_*.ipk x86_64
if [ -d luci-app ]; then
	tools/ipk.sh luci-app-gwha "$work/feed" >/dev/null
	part "the LuCI app's package" tests/packaging/ipk.sh "$work"/feed/luci-app-gwha_*.ipk all
fi
part "the feed's index" tests/packaging/index.sh "$work/feed"
part "built twice" tests/packaging/reproducible.sh x86_64 "$work"/feed/gwha_*.ipk
part "the release tarball" tests/packaging/dist.sh
part "under OpenWrt's include files" tests/packaging/openwrt.sh "$program"

# The same package, one release on and with another default configuration.
mkdir "$work/newer"
cp -R tools files openwrt Cargo.toml "$work/newer/"
sed -i 's/^PKG_RELEASE:=.*/PKG_RELEASE:=99/' "$work/newer/openwrt/gwha/Makefile"
echo "# a newer default" >>"$work/newer/files/etc/config/gwha"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) "$work/newer/tools/ipk.sh" gwha x86_64 "$program" "$work/newer" >/dev/null
part "on a router" tests/init/router.sh "$work"/feed/gwha_*.ipk "$work"/newer/gwha_*.ipk

exit $status
