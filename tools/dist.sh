#!/bin/sh
# Makes the release tarball that the OpenWrt package downloads.
#
#   dist.sh DIR    DIR/gwha-VERSION.tar.gz, and its hash for the Makefile
#
# It holds the committed sources and every crate they need, so that it builds
# without a network. Crates that only tests or other systems need are reduced
# to their manifests: cargo insists on seeing them, but never compiles them.
set -eu
umask 022
[ $# = 1 ] || { sed -n '4s/^# */usage: /p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
cd "$(dirname "$0")/.."
# shellcheck source=tools/cross-arch.sh
. tools/cross-arch.sh

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
epoch=$(git log -1 --format=%ct)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tree=$work/gwha-$version

mkdir "$tree"
# Not the package's own folder: it holds this tarball's hash.
git archive HEAD -- . ':!openwrt' ':!.ci' | tar -x -C "$tree"

mkdir -p "$tree/.cargo"
(cd "$tree" && cargo vendor --locked vendor >>.cargo/config.toml 2>/dev/null)

needed() {
	for arch in $ARCHES; do
		arch_lookup "$arch"
		cargo tree --locked -q --target "$TARGET" -e normal,build --prefix none -f '{p}'
	done | sed 's/^\([^ ]*\) v\([^ ]*\).*/\1 \2/' | sort -u
}

needed >"$work/needed"
for crate in "$tree"/vendor/*/; do
	name=$(sed -n '/^\[package\]/,/^\[/s/^name = "\(.*\)"/\1/p' "$crate/Cargo.toml")
	number=$(sed -n '/^\[package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$crate/Cargo.toml")
	grep -qxF "$name $number" "$work/needed" && continue
	hash=$(sed -n 's/.*"package":"\([0-9a-f]*\)".*/\1/p' "$crate/.cargo-checksum.json")
	find "$crate" -mindepth 1 -maxdepth 1 ! -name Cargo.toml ! -name .cargo-checksum.json -exec rm -rf {} +
	# The sources a manifest names must exist; all of them may be empty.
	sed -n 's/^ *path = "\([^"]*\.rs\)"/\1/p; s/^build = "\([^"]*\.rs\)"/\1/p' "$crate/Cargo.toml" |
		while read -r file; do
			mkdir -p "$crate/$(dirname "$file")"
			: >"$crate/$file"
		done
	[ -e "$crate/src" ] || mkdir -p "$crate/src"
	: >"$crate/src/lib.rs"
	printf '{"files":{},"package":"%s"}' "$hash" >"$crate/.cargo-checksum.json"
done

tar --format=gnu --numeric-owner --owner=0 --group=0 --sort=name --mtime="@$epoch" \
	-C "$work" -cf - "gwha-$version" | gzip -9n >"$out/gwha-$version.tar.gz"
echo "$out/gwha-$version.tar.gz"
echo "PKG_HASH:=$(sha256sum <"$out/gwha-$version.tar.gz" | cut -d' ' -f1)"
