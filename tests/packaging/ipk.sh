#!/bin/sh
# Takes a package apart and looks at every field.
#
#   ipk.sh FILE.ipk ARCH       gwha for that architecture
#   ipk.sh FILE.ipk all        luci-app-gwha
#
# The archives are read byte by byte where it matters: tar itself would hide
# the difference between the formats that opkg takes and the one it does not.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# shellcheck source=tests/packaging/lib.sh
. "$here/lib.sh"
# shellcheck source=tools/cross-arch.sh
. "$top/tools/cross-arch.sh"

main() {
	ipk=$1 arch=$2
	case $arch in
	all) package=luci-app-gwha depends="libc, luci-base, gwha" ;;
	*) package=gwha depends=libc; arch_lookup "$arch"; arch=$ARCH ;;
	esac
	echo "# $(basename "$ipk"), $(wc -c <"$ipk") bytes"
	take_apart
	outer_format
	control_fields
	scripts
	case $package in
	gwha) files_of_gwha; program ;;
	*) files_of_luci ;;
	esac
	summary
}

take_apart() {
	cd "$TMPDIR"
	gzip -dc "$ipk" >outer.tar
	mkdir outer data control
	tar -xf outer.tar -C outer
	gzip -dc outer/data.tar.gz >data.tar
	gzip -dc outer/control.tar.gz >control.tar
	tar -xpf data.tar -C data
	tar -xpf control.tar -C control
}

# --- format ---------------------------------------------------------------------

outer_format() {
	version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -1)
	fact "the name says package, version and architecture" \
		equal "${package}_$version-r$(release)_$arch.ipk" "$(basename "$ipk")"
	fact "outside is a gzipped tar, not ar" equal 1f8b08 "$(head -c 3 "$ipk" | od -An -tx1 | tr -d ' \n')"
	fact "gzip carries neither time nor name" no_gzip_header "$ipk"
	fact "nor do the two inside" no_gzip_header outer/data.tar.gz outer/control.tar.gz
	fact "three members, named as opkg expects" equal "./control.tar.gz ./data.tar.gz ./debian-binary" \
		"$(tar -tf outer.tar | LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//')"
	fact "format 2.0" equal 2.0 "$(cat outer/debian-binary)"
	for tar in outer.tar data.tar control.tar; do
		fact "$tar: GNU or ustar headers, no pax" no_pax "$tar"
		fact "$tar: everything belongs to 0:0" equal "0/0" "$(tar --numeric-owner -tvf "$tar" | awk '{ print $2 }' | sort -u)"
	done
	fact "all files have one time, that of the sources" equal 1 "$(for tar in outer.tar data.tar control.tar; do tar --full-time -tvf "$tar"; done | awk '{ print $4, $5 }' | sort -u | wc -l)"
}

no_gzip_header() {
	for file in "$@"; do
		# Flags, then four bytes of time.
		equal 0000000000 "$(od -An -tx1 -j3 -N5 "$file" | tr -d ' \n')" || return 1
	done
}

# The type of each member is byte 156 of its 512-byte header; data follows in
# whole blocks. Files (0), directories (5) and links (2) are all we pack.
no_pax() {
	python3 - "$1" <<-'PYTHON'
	import sys
	tar = open(sys.argv[1], "rb").read()
	at, seen = 0, set()
	while at < len(tar) and tar[at]:
	    seen.add(chr(tar[at + 156]))
	    if tar[at + 257:at + 262] != b"ustar":
	        sys.exit("no ustar magic at %d" % at)
	    size = int(tar[at + 124:at + 136].split(b"\0")[0] or b"0", 8)
	    at += 512 + (size + 511) // 512 * 512
	if not seen or seen - set("025"):
	    sys.exit("member types: " + " ".join(sorted(seen)))
	PYTHON
}

# --- control ----------------------------------------------------------------------

release() { sed -n 's/^PKG_RELEASE:=//p' "$top/openwrt/$package/Makefile"; }
value() { sed -n "s/^$1: //p" control/control; }

control_fields() {
	fact "Package" equal "$package" "$(value Package)"
	fact "Version is Cargo.toml's, with the release" equal "$version-r$(release)" "$(value Version)"
	fact "the Makefile has the same version" equal "$version" "$(sed -n 's/^PKG_VERSION:=//p' "$top/openwrt/$package/Makefile")"
	fact "Architecture" equal "$arch" "$(value Architecture)"
	fact "Depends on what every router has" equal "$depends" "$(value Depends)"
	fact "License is Cargo.toml's" equal "$(sed -n 's/^license = "\(.*\)"/\1/p' "$top/Cargo.toml")" "$(value License)"
	fact "LicenseFiles are the Makefile's" equal "$(sed -n 's/^PKG_LICENSE_FILES:=//p' "$top/openwrt/$package/Makefile")" "$(value LicenseFiles)"
	fact "Maintainer" contains "$(value Maintainer)" "@"
	fact "Installed-Size is that of the data" equal "$(wc -c <data.tar)" "$(value Installed-Size)"
	fact "Section" test -n "$(value Section)"
	fact "Description says something" contains "$(value Description)" "router"
	fact "and continues with a space" equal "" "$(sed '1,/^Description:/d' control/control | grep -v '^ ')"
	fact "no empty line, which would end the stanza in an index" equal "" "$(grep -n '^$' control/control)"
}

scripts() {
	fact "control is plain data" equal 644 "$(stat -c %a control/control)"
	for script in postinst prerm; do
		fact "$script can be run" equal 755 "$(stat -c %a "control/$script")"
		fact "$script is valid shell" sh -n "control/$script"
		fact "$script calls OpenWrt's" contains "$(cat "control/$script")" "default_$script \$0 \$@"
		# Without OpenWrt's functions (an image being built) it leaves quietly.
		fact "$script does nothing in a bare root" env IPKG_INSTROOT="$TMPDIR/none" sh "control/$script"
	done
}

# --- data -----------------------------------------------------------------------------

# `mode path` of everything below data/.
listing() { (cd data && find . -mindepth 1 "$@" -printf '%m %P\n' | LC_ALL=C sort -k2); }

files_of_gwha() {
	fact "exactly these files" equal "600 etc/config/gwha
755 etc/init.d/gwha
644 etc/uci-defaults/95-gwha
644 lib/upgrade/keep.d/gwha
755 usr/sbin/gwha" "$(listing -type f)"
	fact "exactly these directories" equal "755 etc
755 etc/config
700 etc/gwha
755 etc/hotplug.d
755 etc/hotplug.d/gwha
755 etc/init.d
755 etc/uci-defaults
755 lib
755 lib/upgrade
755 lib/upgrade/keep.d
755 usr
755 usr/sbin" "$(listing -type d)"
	fact "nothing else" equal "" "$(listing ! -type f ! -type d)"
	fact "the configuration is a conffile" equal /etc/config/gwha "$(cat control/conffiles)"
	fact "keys and hooks are kept over a sysupgrade" equal "/etc/gwha/
/etc/hotplug.d/gwha/" "$(cat data/lib/upgrade/keep.d/gwha)"
	for file in etc/config/gwha etc/init.d/gwha etc/uci-defaults/95-gwha; do
		fact "$file is that of the sources" cmp "data/$file" "$top/files/$file"
	done
	# No CPU may need more than 400 KB (docs/DECISIONS.md). Nothing is added for free: two kilobytes more than there is.
	case $arch in
	x86_64) limit=366 ;;
	arm_*) limit=336 ;;
	mips*) limit=389 ;;
	*) limit=372 ;;
	esac
	fact "at most $limit KB" test "$(wc -c <"$ipk")" -le $((limit * 1024))
}

program() {
	elf=data/usr/sbin/gwha
	fact "the program is of $MACHINE" equal "$MACHINE" "$(elf_machine)"
	fact "at a fixed address" contains "$(readelf -h "$elf")" "EXEC (Executable file)"
	fact "no interpreter and no dynamic section" lacks_words "$(readelf -lW "$elf")" INTERP DYNAMIC
	fact "stripped" lacks "$(readelf -SW "$elf")" .symtab
	fact "no path of the build machine is in it" lacks_words "$(strings -n 6 "$elf")" \
		"$HOME" "$(cd "$top" && pwd)" /.cargo/ /rustlib/ /build_dir/ /gwha-cross
}

elf_machine() {
	readelf -hW "$elf" | awk -F': *' '
		$1 ~ /^ *Class/ { c = $2 }
		$1 ~ /^ *Data/ { d = ($2 ~ /big/) ? "big" : "little" }
		$1 ~ /^ *Machine/ { m = $2; sub(/^Advanced Micro Devices /, "", m); sub(/^MIPS.*/, "MIPS", m) }
		END { print c, d, m }'
}

lacks_words() {
	text=$1
	shift
	for word in "$@"; do
		! printf '%s\n' "$text" | grep -F -m 3 -e "$word" || return 1
	done
}

files_of_luci() {
	fact "every file of the sources, and no other" equal \
		"$(cd "$top/luci-app" && { [ ! -d root ] || (cd root && find . -type f -printf '%P\n'); [ ! -d htdocs ] || (cd htdocs && find . -type f -printf 'www/%P\n'); } | LC_ALL=C sort)" \
		"$(cd data && find . -type f -printf '%P\n' | LC_ALL=C sort)"
	fact "all readable, none writable by others" equal "" "$(listing -type f | grep -vE '^(644|755) ')"
	fact "no conffiles" test ! -e control/conffiles
	fact "its menu and rights are read at once" contains "$(cat control/postinst-pkg)" "rpcd reload"
	fact "postinst-pkg can be run" equal 755 "$(stat -c %a control/postinst-pkg)"
	fact "JSON files parse" all_json
}

all_json() {
	find data -name '*.json' | while read -r file; do
		python3 -m json.tool "$file" >/dev/null || { echo "$file"; exit 1; }
	done
}

main "$(realpath "$1")" "$2"
