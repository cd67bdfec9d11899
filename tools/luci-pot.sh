#!/bin/sh
# tools/luci-pot.sh [check]: writes luci-app/po/templates/gwha.pot from the app's scripts, menu and rights; needs gettext.
#
# With `check` nothing is written: fails if the template is old, or a translation can't be used or lacks a text.
set -eu
cd "$(dirname "$0")/../luci-app"
pot=po/templates/gwha.pot
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The titles of the menu and the description of the rights are shown too.
sed -n 's/.*"\(title\|description\)": \("[^"]*"\).*/_(\2);/p' root/usr/share/luci/menu.d/*.json root/usr/share/rpcd/acl.d/*.json | sort -u >"$work/titles"
{
	printf 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n\n'
	find htdocs -name '*.js' | LC_ALL=C sort | xargs xgettext --from-code=UTF-8 --language=JavaScript --no-wrap \
		--omit-header --no-location --sort-output --keyword=_:1 --keyword=N_:2,3 -o - "$work/titles"
} >"$work/pot"
if [ "${1-}" != check ]; then
	cp "$work/pot" "$pot"
	echo "$pot: $(grep -c '^msgid' "$pot") texts"
	exit 0
fi
cmp -s "$work/pot" "$pot" || { echo "$pot is old: make luci-pot" >&2; exit 1; }
for po in po/*/gwha.po; do
	msgfmt --check-format --check-domain -o /dev/null "$po"
	# What the template has and the translation has not, or only as a guess.
	msgmerge -q --no-fuzzy-matching -o "$work/po" "$po" "$pot"
	lacking=$(msgattrib --untranslated --no-wrap "$work/po" | sed -n 's/^msgid "\(..*\)"$/  \1/p')
	[ -z "$lacking" ] || { echo "$po lacks:" >&2; echo "$lacking" >&2; exit 1; }
done
