#!/bin/sh
# The package Makefiles under OpenWrt's real include files.
#
#   OPENWRT_TREE=DIR tests/packaging/openwrt.sh PROGRAM
#
# DIR is a buildroot or SDK, configured, with the feeds `packages` and `luci`
# updated (lang/rust and luci.mk are read). Nothing in it is changed, and no
# toolchain is needed: PROGRAM is installed in the place of a compiled gwha.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
# shellcheck source=tests/packaging/lib.sh
. "$here/lib.sh"

if [ -z "${OPENWRT_TREE:-}" ]; then
	skip "Makefiles under OpenWrt: set OPENWRT_TREE to a buildroot or SDK with the feeds packages and luci"
	summary
	exit
fi

program=$(realpath "$1")
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# buildroot FOLDER ARGS...: make in a package's folder, as the buildroot calls it.
buildroot() {
	folder=$1
	shift
	make -r --no-print-directory -C "$folder" TOPDIR="$(realpath "$OPENWRT_TREE")" FEED=gwha "$@" 2>"$TMPDIR/errors"
}
value() { printf '%s\n' "$dump" | sed -n "s/^$1: *//p"; }
wrapped() { buildroot "$1" -f "$here/openwrt.mk" PKG_BUILD_DIR="$TMPDIR/build" PKG_INSTALL_DIR="$TMPDIR/built" "$2" "$3" "$4" "$5"; }
listing() { (cd "$1" && find . -mindepth 1 -printf '%y %m %P\n' | LC_ALL=C sort -k3); }

echo "# gwha, from the tree around it"
dump=$(buildroot "$top/openwrt/gwha" DUMP=1)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -1)
fact "its metadata has no complaint" equal "" "$(cat "$TMPDIR/errors")"
fact "Package" equal gwha "$(value Package)"
fact "Version" contains "$(value Version)" "$version-r"
fact "it needs no package but libc" equal "+libc" "$(value Depends | tr ' ' '\n' | grep '^+')"
fact "and a CPU that Rust has" contains "$(value Depends)" "||x86_64)"
fact "no source is downloaded" equal "" "$(value Source)"
fact "it stands with the routing programs" equal "Network/Routing and Redirection" "$(value Category)/$(value Submenu)"
fact "the feeds scanner finds it" grep -q 'call BuildPackage' "$top/openwrt/gwha/Makefile"

shown=$(wrapped "$top/openwrt/gwha" show A= B= C=)
rust=$(printf '%s\n' "$shown" | sed -n 's/^rust = //p')
variables=$(printf '%s\n' "$shown" | sed -n 's/^variables = //p')
fact "Rust support is found" test -f "$rust"
case $rust in
*/feeds/*) fact "of the feed, which builds its compiler first" contains "$shown" "build-depends = rust/host" ;;
*) fact "of the core tree, without a shared library" lacks "$variables" "prefer-dynamic" ;;
esac
fact "the lock file is held to" contains "$shown" "--locked"
# A later assignment wins, for variables and for the static feature.
last() { printf '%s\n' "$variables" | grep -o "$1=[^ ]*" | tail -1; }
fact "optimised for size as Cargo.toml says" equal "CARGO_PROFILE_RELEASE_OPT_LEVEL=z" "$(last CARGO_PROFILE_RELEASE_OPT_LEVEL)"
fact "a panic aborts" equal "CARGO_PROFILE_RELEASE_PANIC=abort" "$(last CARGO_PROFILE_RELEASE_PANIC)"
fact "overflow is checked" equal "CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS=true" "$(last CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS)"
fact "the program is static" contains "$variables" "-Ctarget-feature=+crt-static"
fact "no path of the build is in it" contains "$variables" "--remap-path-prefix=$TMPDIR/build=."

wrapped "$top/openwrt/gwha" try PROGRAM="$program" DEST="$TMPDIR/root" TRY=gwha >"$TMPDIR/try.log" || cat "$TMPDIR/errors"
fact "what cargo needs is prepared" test -f "$TMPDIR/build/Cargo.lock" -a -f "$TMPDIR/build/src/main.rs"
fact "and nothing that was built before" test ! -e "$TMPDIR/build/target"

# The hand-packed .ipk is the other way to the same files.
"$top/tools/ipk.sh" gwha x86_64 "$program" "$TMPDIR" >/dev/null
mkdir "$TMPDIR/packed"
tar -xzOf "$TMPDIR"/gwha_*.ipk ./data.tar.gz | tar -xpz -C "$TMPDIR/packed"
# The buildroot's packing step writes the keep list, not the install step.
rm -r "$TMPDIR/packed/lib"
fact "it installs the very files of the .ipk, with their modes" equal "$(listing "$TMPDIR/packed")" "$(listing "$TMPDIR/root")"
fact "and their contents" diff -r "$TMPDIR/packed" "$TMPDIR/root"

echo "# gwha, from a release"
mkdir -p "$TMPDIR/feed/net"
cp -R "$top/openwrt/gwha" "$TMPDIR/feed/net/gwha"
dump=$(buildroot "$TMPDIR/feed/net/gwha" DUMP=1)
fact "alone in a feed it downloads the release" equal "gwha-$version.tar.gz" "$(value Source)"
fact "and is the same package otherwise" contains "$(value Version) $(value Depends)" "$version-r"

echo "# luci-app-gwha"
dump=$(buildroot "$top/openwrt/luci-app-gwha" DUMP=1)
fact "its metadata has no complaint" equal "" "$(cat "$TMPDIR/errors")"
fact "Package" equal luci-app-gwha "$(value Package | head -1)"
fact "Version" contains "$(value Version | head -1)" "$version-r"
fact "it needs LuCI and gwha" equal "+libc +luci-base +gwha" "$(value Depends | head -1)"
fact "the feeds scanner finds it" grep -q 'call BuildPackage' "$top/openwrt/luci-app-gwha/Makefile"
if [ -d "$top/luci-app" ]; then
	rm -rf "$TMPDIR/build" "$TMPDIR/root" "$TMPDIR/packed"
	wrapped "$top/openwrt/luci-app-gwha" try PROGRAM="$program" DEST="$TMPDIR/root" TRY=luci-app-gwha >"$TMPDIR/try.log" || cat "$TMPDIR/errors"
	"$top/tools/ipk.sh" luci-app-gwha "$TMPDIR" >/dev/null
	mkdir "$TMPDIR/packed"
	tar -xzOf "$TMPDIR"/luci-app-gwha_*.ipk ./data.tar.gz | tar -xpz -C "$TMPDIR/packed"
	fact "it installs the very files of the .ipk" diff -r "$TMPDIR/packed" "$TMPDIR/root"
else
	skip "its files: there is no luci-app/ yet"
fi

summary
