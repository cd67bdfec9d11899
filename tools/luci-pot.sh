#!/bin/sh
# Writes luci-app/po/templates/gwha.pot from the app's scripts, menu and rights; needs gettext.
set -eu
cd "$(dirname "$0")/../luci-app"
pot=po/templates/gwha.pot
titles=$(mktemp)
trap 'rm -f "$titles"' EXIT
# The titles of the menu and the description of the rights are shown too.
sed -n 's/.*"\(title\|description\)": \("[^"]*"\).*/_(\2);/p' root/usr/share/luci/menu.d/*.json root/usr/share/rpcd/acl.d/*.json | sort -u >"$titles"
{
	printf 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n\n'
	find htdocs -name '*.js' | LC_ALL=C sort | xargs xgettext --from-code=UTF-8 --language=JavaScript --no-wrap \
		--omit-header --no-location --sort-output --keyword=_:1 --keyword=N_:2,3 -o - "$titles"
} >"$pot"
echo "$pot: $(grep -c '^msgid' "$pot") texts"
