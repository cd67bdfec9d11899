#!/bin/sh
# Builds and packs gwha a second time, in another directory, another time zone
# and language and with another umask, and compares every byte.
#
#   reproducible.sh ARCH FILE.ipk     FILE.ipk is the first build's
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# shellcheck source=tests/packaging/lib.sh
. "$here/lib.sh"

first=$(realpath "$2")
cd "$top"
copy="$TMPDIR/somewhere else"
mkdir "$copy"
# What git knows of, as it is now; without the history.
git ls-files -z | tar --null --files-from=- -cf - | tar -xf - -C "$copy"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
cd "$copy"
umask 077
export TZ=Pacific/Chatham LC_ALL=C.UTF-8
program=$(tools/cross.sh build "$1")
second=$(tools/ipk.sh gwha "$1" "$program" "$TMPDIR")

echo "# $1: $(basename "$first") built twice"
fact "two builds give the same program" equal \
	"$(tar -xzOf "$first" ./data.tar.gz | tar -xzO ./usr/sbin/gwha | sha256sum)" "$(sha256sum <"$program")"
fact "and the same package" cmp "$first" "$second"
summary
