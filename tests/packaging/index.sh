#!/bin/sh
# A feed's index against the packages that lie beside it.
#
#   index.sh DIR      DIR holds .ipk files; the index is made here
set -eu
here=$(cd "$(dirname "$0")" && pwd)
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# shellcheck source=tests/packaging/lib.sh
. "$here/lib.sh"

"$here/../../tools/ipk.sh" index "$1" >/dev/null
cd "$1"
fact "Packages.gz is Packages" equal "$(cat Packages)" "$(gzip -dc Packages.gz)"
fact "one stanza a package" equal "$(find . -name '*.ipk' | wc -l)" "$(grep -c '^Package: ' Packages)"
for ipk in *.ipk; do
	# Stanzas are separated by empty lines.
	awk -v RS= -v name="Filename: $ipk\n" 'index($0 "\n", name)' Packages >"$TMPDIR/stanza"
	fact "$ipk: its size" equal "$(wc -c <"$ipk")" "$(sed -n 's/^Size: //p' "$TMPDIR/stanza")"
	fact "$ipk: its hash" equal "$(sha256sum <"$ipk" | cut -d' ' -f1)" "$(sed -n 's/^SHA256sum: //p' "$TMPDIR/stanza")"
	fact "$ipk: every field of its control file" equal "" \
		"$(tar -xzOf "$ipk" ./control.tar.gz | tar -xzOf - ./control | grep -vxFf "$TMPDIR/stanza")"
	fact "$ipk: the description comes last, as its end is the stanza's" equal Description \
		"$(sed -n 's/^\([A-Z][A-Za-z0-9-]*\):.*/\1/p' "$TMPDIR/stanza" | tail -1)"
done
summary
