#!/bin/sh
# Prepares static musl builds for one OpenWrt architecture, where rustup has no
# ready standard library for it (32-bit MIPS never has) or is not there at all.
#
#   cross-setup.sh ARCH     prepares ARCH and prints the directory that holds it
#   cross-setup.sh library  prepares only library/, which is enough to check
#
# What is put there, once per compiler version:
#   library/    the sources of Rust's standard library, of exactly this rustc
#   TARGET/     libc.a and crt*.o of musl, an empty libunwind.a, the linker `ld`
#
# Needs: rustc with its rust-lld, and Debian (or the four overrides below).
#   GWHA_CROSS_DIR   where it is kept; ~/.cache/gwha-cross
#   RUST_LIBRARY     sources of the standard library (rustup component rust-src)
#   MUSL_SOURCE      an unpacked musl release
#   CLANG, LLVM_AR   a clang with all backends (14 or later), and its llvm-ar
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tools/cross-arch.sh
. "$here/cross-arch.sh"

main() {
	[ $# = 1 ] || { sed -n '5,6s/^# */usage: /p' "$0" >&2; exit 2; }
	[ "$1" = library ] || arch_lookup "$1"
	version=$(rustc -vV | sed -n 's/^release: //p')
	root=${GWHA_CROSS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/gwha-cross}/rust-$version
	mkdir -p "$root"
	# One at a time: two builds started together would write the same files.
	exec 9>"$root/.lock"
	flock 9
	[ -d "$root/library/std" ] || get_library
	[ "$1" = library ] || [ "$(made_of)" = "$(cat "$root/$TARGET/made-of" 2>/dev/null)" ] || build_musl
	echo "$root"
}

# --- the standard library ---------------------------------------------------

get_library() {
	rm -rf "$root/library"
	own=$(rustc --print sysroot)/lib/rustlib/src/rust/library
	[ -n "${RUST_LIBRARY:-}" ] || [ ! -d "$own/std" ] || RUST_LIBRARY=$own
	if [ -n "${RUST_LIBRARY:-}" ]; then
		say "library sources from $RUST_LIBRARY"
		rm -rf "$root/library.part"
		cp -R "$RUST_LIBRARY" "$root/library.part"
		mv "$root/library.part" "$root/library"
	else
		get_debian_library
	fi
}

# The Debian package carries the same files; rust-src packages of several
# versions lie side by side in the suite that backports new compilers.
get_debian_library() {
	suite=${RUST_SRC_SUITE:-trixie-backports}
	say "rust-src $version from Debian $suite"
	apt_view bin "s/^Suites:.*/Suites: $suite/"
	found=$(apt_get bin cache madison rust-src |
		awk -v v="$version+" 'index($3, v) == 1 { print $3; exit }')
	[ -n "$found" ] || die "Debian $suite has no rust-src $version: set RUST_SRC_SUITE, or RUST_LIBRARY
  (with rustup: rustup component add rust-src)"
	rm -rf "$root/dl"
	mkdir -p "$root/dl"
	(cd "$root/dl" && apt_get bin get download "rust-src=$found" >&2)
	mkdir -p "$root/library.part"
	dpkg --fsys-tarfile "$root"/dl/rust-src_*.deb |
		tar -x -C "$root/library.part" --strip-components=5 "./usr/src/rustc-$version/library"
	mv "$root/library.part" "$root/library"
	rm -rf "$root/dl"
}

# --- musl -------------------------------------------------------------------

# What musl is made of beside its sources: another version makes it be built again.
made_of() {
	echo "$CC_FLAGS $MUSL_FLAGS"
	cat "$here/cross-unwind.c"
}

build_musl() {
	find_compiler
	find_musl
	part=$root/$TARGET.part
	rm -rf "$part" "${root:?}/$TARGET"
	mkdir -p "$part/build"
	say "musl for $TARGET"
	(
		cd "$part/build"
		# LIBCC is empty: no compiler runtime is needed, Rust brings its own.
		CC="$CLANG $CC_FLAGS" AR=$LLVM_AR RANLIB="$LLVM_AR s" LIBCC=" " \
			CFLAGS="-Oz $MUSL_FLAGS -ffunction-sections -fdata-sections -w" \
			"$MUSL_SOURCE/configure" --target="$(clang_triple)" --disable-shared >configure.log
		make -s -j"${JOBS:-$(nproc)}" lib/libc.a lib/crt1.o lib/crti.o lib/crtn.o >make.log 2>&1 ||
			{ tail -20 make.log >&2; exit 1; }
		cp lib/libc.a lib/crt1.o lib/crti.o lib/crtn.o ..
		# shellcheck disable=SC2086  # CC_FLAGS is a list of words
		$CLANG $CC_FLAGS -Os -ffreestanding -c "$here/cross-unwind.c" -o unwind.o
		$LLVM_AR rcs ../libunwind.a unwind.o
		made_of >../made-of
	)
	rm -rf "$part/build"
	write_linker
	mv "$part" "$root/$TARGET"
}

# rustc's own linker, with what a C compiler would have added for a static
# program. rustc passes `-flavor gnu` first, and rust-lld wants it there.
write_linker() {
	sysroot=$(rustc --print sysroot)
	host=$(rustc -vV | sed -n 's/^host: //p')
	lld=$sysroot/lib/rustlib/$host/bin/rust-lld
	[ -x "$lld" ] || die "this Rust toolchain has no rust-lld ($lld)"
	cat >"$part/ld" <<-LD
	#!/bin/sh
	[ "\$1" != -flavor ] || shift 2
	here='$root/$TARGET'
	exec '$lld' -flavor gnu -static "\$here/crt1.o" "\$here/crti.o" -L"\$here" "\$@" "\$here/crtn.o"
	LD
	chmod +x "$part/ld"
}

find_compiler() {
	if [ -z "${CLANG:-}" ]; then
		for name in clang clang-14 clang-15 clang-16 clang-17 clang-18 clang-19 clang-20; do
			! command -v "$name" >/dev/null || CLANG=$name
		done
	fi
	if [ -z "${CLANG:-}" ]; then
		install_debian clang-14 llvm-14
		CLANG=clang-14
	fi
	if [ -z "${LLVM_AR:-}" ]; then
		# The archiver of the same version stands beside the compiler.
		LLVM_AR=$(printf %s "$CLANG" | sed 's/clang/llvm-ar/')
		command -v "$LLVM_AR" >/dev/null || install_debian llvm-14
		command -v "$LLVM_AR" >/dev/null || LLVM_AR=llvm-ar-14
	fi
	command -v make >/dev/null || install_debian make
}

find_musl() {
	[ -z "${MUSL_SOURCE:-}" ] || return 0
	if ! ls "$root"/musl/musl-*/configure >/dev/null 2>&1; then
		rm -rf "$root/musl"
		mkdir -p "$root/musl"
		say "musl sources from Debian"
		apt_view src 's/^Types:.*/Types: deb-src/; s/^Suites: *\([^ ]*\).*/Suites: \1/'
		(cd "$root/musl" && apt_get src get source --download-only musl >&2 && tar xzf musl_*.orig.tar.gz)
	fi
	MUSL_SOURCE=$(ls -d "$root"/musl/musl-*/)
	MUSL_SOURCE=${MUSL_SOURCE%/}
}

clang_triple() {
	printf %s "$CC_FLAGS" | sed 's/^--target=//; s/ .*//'
}

# --- Debian -----------------------------------------------------------------

# apt_view NAME SED: a private view of the archive this machine already uses,
# with another suite or with sources; the machine's own lists stay as they are.
apt_view() {
	mkdir -p "$root/apt/$1/parts" "$root/apt/$1/lists/partial"
	archive | sed "$2" >"$root/apt/$1/parts/view.sources"
	[ -s "$root/apt/$1/parts/view.sources" ] ||
		die "no archive of Debian's in /etc/apt: set RUST_LIBRARY and MUSL_SOURCE"
	apt_get "$1" get -q update >&2
}

# The archive in apt's newer format, whichever this machine has: installers
# before Debian 13, and debootstrap, write the one-line format.
archive() {
	entry=/etc/apt/sources.list.d/debian.sources
	if [ -f "$entry" ]; then
		awk -v RS= -v ORS='\n\n' '!/security/' "$entry"
	elif [ -f /etc/apt/sources.list ]; then
		awk '$1 == "deb" && !/security|-updates|-backports/ {
			sub(/\[[^]]*\]/, "")
			printf "Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n\n", $2, $3
		}' /etc/apt/sources.list
	fi
}

# apt_get VIEW get|cache ARGS...
apt_get() {
	view=$1 tool=$2
	shift 2
	"apt-$tool" -o APT::Sandbox::User=root -o Dir::Etc::sourcelist=/dev/null \
		-o Dir::Etc::sourceparts="$root/apt/$view/parts" -o Dir::State::Lists="$root/apt/$view/lists" "$@"
}

install_debian() {
	say "installing $*"
	command -v apt-get >/dev/null || die "please install: $*"
	apt-get -qq update >&2
	apt-get -qq install -y --no-install-recommends "$@" >&2
}

say() { echo "cross-setup: $*" >&2; }
die() { say "$*"; exit 1; }

main "$@"
