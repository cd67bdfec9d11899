#!/bin/sh
# tools/rust-src.sh DIR: prints where the sources of the standard library of this very rustc are.
#
# A processor without a ready-made standard library (MIPS) needs it built along with the program. Where rustup's
# component `rust-src` is installed, that is it. Otherwise the sources are taken from Debian's package of that name,
# in exactly the compiler's version, and unpacked in DIR. Nothing is installed in the system.
set -eu
say() { echo "rust-src.sh: $*" >&2; }
dir=$1
version=$(rustc -vV | sed -n 's/^release: //p')
component=$(rustc --print sysroot)/lib/rustlib/src/rust/library
if [ -f "$component/std/Cargo.toml" ]; then
    echo "$component"
    exit 0
fi
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
library=$dir/rust-$version/library
if [ -f "$library/std/Cargo.toml" ]; then
    echo "$library"
    exit 0
fi

# Debian keeps several versions of the compiler in the backports of its releases. This looks there through a list
# of its own, made from the machine's first Debian source, and leaves the machine's lists alone.
sources=/etc/apt/sources.list.d/debian.sources
suite=${RUST_SRC_SUITE:-trixie-backports}
[ -f "$sources" ] || { say "no $sources; install the component instead: rustup component add rust-src"; exit 1; }
mkdir -p "$dir/apt/sources" "$dir/apt/lists/partial"
awk -v RS= 'tolower($0) !~ /security/ { print; exit }' "$sources" |
    sed "s/^Suites:.*/Suites: $suite/" >"$dir/apt/sources/backports.sources"
private="-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$dir/apt/sources -o Dir::State::Lists=$dir/apt/lists"
# shellcheck disable=SC2086 # The options are meant to be split.
{
    apt-get $private -o APT::Sandbox::User= -qq update >&2
    package=$(apt-cache $private madison rust-src |
        awk -v version="$version" '{ split($3, part, "+"); if (part[1] == version) { print $3; exit } }')
    if [ -z "$package" ]; then
        say "$suite has no rust-src $version; use another suite (RUST_SRC_SUITE=) or rustup component add rust-src"
        exit 1
    fi
    mkdir -p "$dir/rust-$version"
    cd "$dir/apt"
    apt-get $private -o APT::Sandbox::User= -qq download "rust-src=$package" >&2
}
dpkg --fsys-tarfile rust-src_*.deb |
    tar -x -C "$dir/rust-$version" --strip-components=4 "./usr/src/rustc-$version/library"
rm -f rust-src_*.deb
echo "$library"
