#!/bin/sh
# The release tarball: equal when made twice, and it builds without a network.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# shellcheck source=tests/packaging/lib.sh
. "$here/lib.sh"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -1)
tarball=$TMPDIR/gwha-$version.tar.gz
hash=$("$top/tools/dist.sh" "$TMPDIR" | sed -n 's/^PKG_HASH:=//p')
fact "its hash is printed for the Makefile" equal "$(sha256sum <"$tarball" | cut -d' ' -f1)" "$hash"
fact "made again it is the same" equal "$hash" "$("$top/tools/dist.sh" "$TMPDIR" | sed -n 's/^PKG_HASH:=//p')"
tar -xzf "$tarball" -C "$TMPDIR"
fact "it unpacks to one folder of its name" test -f "$TMPDIR/gwha-$version/Cargo.toml"
fact "the package's own folder, which holds the hash, is not in it" test ! -e "$TMPDIR/gwha-$version/openwrt"
fact "at most 8 MB" test "$(wc -c <"$tarball")" -le 8388608

# As the buildroot does it, for this machine: an empty CARGO_HOME has no crates.
builds() {
	cd "$TMPDIR/gwha-$version"
	CARGO_HOME=$TMPDIR/empty CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
		cargo install --offline --locked --path . --root "$TMPDIR/installed"
}
fact "it builds offline with nothing but itself" builds
fact "and what it builds runs" "$TMPDIR/installed/bin/gwha" --version
summary
