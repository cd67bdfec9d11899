#!/bin/sh
# Packs .ipk files as OpenWrt's buildroot would, without a buildroot.
#
#   ipk.sh gwha ARCH PROGRAM DIR   gwha_VERSION_ARCH.ipk, written to DIR
#   ipk.sh luci-app-gwha DIR       luci-app-gwha_VERSION_all.ipk
#   ipk.sh index DIR               Packages and Packages.gz of what lies in DIR
#
# Equal input gives equal bytes: no clock, no user and no directory order is
# in a package. SOURCE_DATE_EPOCH is the time of its files; by default that of
# the last commit.
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
top=$(dirname "$here")
# shellcheck source=tools/cross-arch.sh
. "$here/cross-arch.sh"

main() {
	command -v libdeflate-gzip >/dev/null || die "libdeflate-gzip is missing (tools/deps.sh ipk)"
	case ${1:-} in
	gwha) [ $# = 4 ] || usage; pack_gwha "$2" "$3" "$4" ;;
	luci-app-gwha) [ $# = 2 ] || usage; pack_luci "$2" ;;
	index) [ $# = 2 ] || usage; write_index "$2" ;;
	*) usage ;;
	esac
}

usage() {
	sed -n '4,6s/^# */usage: /p' "$0" >&2
	exit 2
}

# --- gwha -------------------------------------------------------------------

pack_gwha() {
	program=$2 out=$3
	arch_lookup "$1"
	# shellcheck disable=SC2153  # set by arch_lookup
	begin gwha "$ARCH" "$out"
	install -D -m 0755 "$program" "$data/usr/sbin/gwha"
	install -D -m 0600 "$top/files/etc/config/gwha" "$data/etc/config/gwha"
	install -D -m 0755 "$top/files/etc/init.d/gwha" "$data/etc/init.d/gwha"
	install -D -m 0644 "$top/files/etc/uci-defaults/95-gwha" "$data/etc/uci-defaults/95-gwha"
	install -d -m 0755 "$data/etc/hotplug.d/gwha"
	install -d -m 0700 "$data/etc/gwha"
	split_conffiles
	write_control "$(field SECTION)" "$(field URL)" "libc" "$(description)"
	write_scripts
	finish
}

# What the package ships of its conffiles is protected at an upgrade; the rest
# are made on the router, and kept over a sysupgrade.
split_conffiles() {
	define "Package/$name/conffiles" | while read -r path; do
		if [ -f "$data$path" ]; then
			echo "$path" >>"$control/conffiles"
		else
			mkdir -p "$data/lib/upgrade/keep.d"
			echo "$path" >>"$data/lib/upgrade/keep.d/$name"
		fi
	done
}

# --- luci-app-gwha ------------------------------------------------------------

pack_luci() {
	begin luci-app-gwha all "$1"
	app=$top/luci-app
	[ -d "$app/root" ] || [ -d "$app/htdocs" ] || die "luci-app/ has neither root/ nor htdocs/"
	# htdocs/ is the web server's root, root/ the router's.
	[ ! -d "$app/htdocs" ] || copy_tree "$app/htdocs" "$data/www"
	[ ! -d "$app/root" ] || copy_tree "$app/root" "$data"
	write_control luci "$(variable LUCI_URL)" "libc, luci-base, gwha" "$(variable LUCI_DESCRIPTION)"
	write_scripts
	# LuCI caches its menu, and rpcd reads the rights only at a (re)load.
	cat >"$control/postinst-pkg" <<-'SCRIPT'
	[ -n "${IPKG_INSTROOT}" ] || {
		rm -f /tmp/luci-indexcache.*
		rm -rf /tmp/luci-modulecache/
		/etc/init.d/rpcd reload 2>/dev/null
		exit 0
	}
	SCRIPT
	chmod 0755 "$control/postinst-pkg"
	finish
}

copy_tree() {
	(cd "$1" && find . -type f) | LC_ALL=C sort | while read -r file; do
		mode=0644
		case $file in ./etc/uci-defaults/* | ./etc/init.d/* | ./usr/libexec/*) mode=0755 ;; esac
		install -D -m "$mode" "$1/$file" "$2/$file"
	done
}

# --- what the two have in common ------------------------------------------------

begin() {
	name=$1 arch=$2 out=$3
	makefile=$top/openwrt/$name/Makefile
	version=$(variable PKG_VERSION)-r$(variable PKG_RELEASE)
	epoch=${SOURCE_DATE_EPOCH:-$(source_time)}
	mkdir -p "$out"
	out=$(cd "$out" && pwd)
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	data=$work/data control=$work/control
	mkdir -p "$data" "$control"
}

# The fields in the order in which the buildroot writes them.
write_control() {
	cat >"$control/control" <<-CONTROL
	Package: $name
	Version: $version
	Depends: $3
	Source: feeds/gwha/$name
	SourceName: $name
	License: $(variable PKG_LICENSE)
	@FILES@
	Section: $1
	SourceDateEpoch: $epoch
	URL: $2
	Maintainer: $(variable PKG_MAINTAINER)
	Architecture: $arch
	Installed-Size: @SIZE@
	Description:  $(printf %s "$4" | sed '2,$s/^/ /')
	CONTROL
}

# These find the init scripts and uci-defaults in the package's file list, and
# run, enable, start, stop and disable what they find.
write_scripts() {
	cat >"$control/postinst" <<-'SCRIPT'
	#!/bin/sh
	[ "${IPKG_NO_SCRIPT}" = "1" ] && exit 0
	[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
	. ${IPKG_INSTROOT}/lib/functions.sh
	default_postinst $0 $@
	SCRIPT
	cat >"$control/prerm" <<-'SCRIPT'
	#!/bin/sh
	[ -s ${IPKG_INSTROOT}/lib/functions.sh ] || exit 0
	. ${IPKG_INSTROOT}/lib/functions.sh
	default_prerm $0 $@
	SCRIPT
	chmod 0755 "$control/postinst" "$control/prerm"
}

finish() {
	archive "$data" . >"$work/data.tar"
	files=$(variable PKG_LICENSE_FILES)
	sed -i "s/@SIZE@/$(wc -c <"$work/data.tar")/; s/@FILES@/LicenseFiles: $files/; /^LicenseFiles: \$/d" "$control/control"
	mkdir "$work/outer"
	echo 2.0 >"$work/outer/debian-binary"
	squeeze <"$work/data.tar" >"$work/outer/data.tar.gz"
	archive "$control" . | squeeze >"$work/outer/control.tar.gz"
	file=${name}_${version}_$arch.ipk
	# Moved into place whole: an index made meanwhile never sees half of it.
	archive "$work/outer" ./control.tar.gz ./data.tar.gz ./debian-binary | squeeze >"$out/.$file.part"
	mv "$out/.$file.part" "$out/$file"
	echo "$out/$file"
}

# opkg reads GNU and ustar headers. Of a pax archive it installs nothing, and
# still reports success.
archive() {
	from=$1
	shift
	tar --format=gnu --numeric-owner --owner=0 --group=0 --sort=name --mtime="@$epoch" \
		-C "$from" -cf - "$@"
}

# Ordinary gzip, but searched for longer: 4 % less than gzip -9.
squeeze() { libdeflate-gzip -12 -n -c; }

write_index() {
	cd "$1"
	for ipk in *.ipk; do
		[ -f "$ipk" ] || die "no packages in $1"
		tar -xzOf "$ipk" ./control.tar.gz | tar -xzOf - ./control |
			sed "s/^Description:/Filename: $ipk\\nSize: $(wc -c <"$ipk")\\nSHA256sum: $(sha256sum <"$ipk" | cut -d' ' -f1)\\n&/"
		echo
	done >Packages
	squeeze <Packages >Packages.gz
	echo "$PWD/Packages"
}

# --- read from the package's Makefile, so that it is said once -----------------

variable() { sed -n "s/^$1:=//p" "$makefile"; }
field() { define "Package/$name" | sed -n "s/^ *$1:=//p"; }
define() { sed -n "\\|^define $1\$|,/^endef/p" "$makefile" | sed '1d;$d'; }
description() { define "Package/$name/description" | sed 's/^ *//'; }

# A release tarball has no history, but its files have the commit's time.
source_time() {
	git -C "$top" log -1 --format=%ct 2>/dev/null || stat -c %Y "$top/Cargo.toml"
}

die() { echo "ipk.sh: $*" >&2; exit 1; }

main "$@"
