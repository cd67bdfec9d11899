#!/bin/sh
# Builds and tests gwha for the CPUs of OpenWrt routers.
#
#   cross.sh build ARCH              the static program; prints its path
#   cross.sh test ARCH [FILTER...]   unit tests, under qemu where needed
#   cross.sh env ARCH                the environment, for cargo by hand: eval "$(...)"
#
# ARCH is an OpenWrt package architecture (cross-arch.sh). Where rustup has the
# target installed it is used; otherwise cross-setup.sh prepares what is needed.
# GWHA_CROSS_FROM=rustup|source decides by force. GWHA_PANIC=message builds a
# program that says why it panicked; it is larger.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tools/cross-arch.sh
. "$here/cross-arch.sh"

main() {
	[ $# -ge 2 ] || { sed -n '4,6s/^# */usage: /p' "$0" >&2; exit 2; }
	command=$1
	arch_lookup "$2"
	shift 2
	cd "$here/.."
	prepare
	case $command in
	build) build ;;
	test) run_tests "$@" ;;
	env) env | sed -n "/^\(RUSTC_BOOTSTRAP\|__CARGO_TESTS\|CARGO_\(TARGET\|ENCODED\|BUILD\|UNSTABLE\)\)/s/=\(.*\)/='\1'/; s/^[A-Z0-9_]*='/export &/p" ;;
	*) echo "cross.sh: unknown command '$command'" >&2; exit 2 ;;
	esac
}

build() {
	# Nothing unwinds, so nobody reads the tables: 70 KB on x86_64.
	flag -Cforce-unwind-tables=no
	# Equal functions of different types become one.
	flag -Clink-arg=--icf=all
	# Alike functions become neighbours: gzip looks back 32 KB only (4 % of it).
	flag -Clink-arg=--bp-compression-sort=function
	instructions
	# How far away things may be; the tests' programs are larger.
	[ -z "$CODE_MODEL" ] || flag "-Ccode-model=$CODE_MODEL"
	# A panic is a trap, without words: their code is 7 % of the program. To hear
	# them while a fault is looked for, set GWHA_PANIC=message.
	if [ -n "${CARGO_UNSTABLE_BUILD_STD:-}" ] && [ "${GWHA_PANIC:-}" != message ]; then
		flag -Zunstable-options
		flag -Cpanic=immediate-abort
		# Nobody would read what {:?} writes: people are told in words.
		flag -Zfmt-debug=none
		# Nor does a log line say where in the sources it was written.
		flag -Zlocation-detail=none
	fi
	export CARGO_ENCODED_RUSTFLAGS="$flags"
	cargo build --locked --release --bin gwha >&2
	program=$CARGO_TARGET_DIR/$TARGET/gwha
	strip_rest "$CARGO_TARGET_DIR/$TARGET/release/gwha" "$program.part"
	mv "$program.part" "$program"
	echo "$program"
}

# How LLVM is told to choose instructions; for what is tested too.
instructions() {
	# At opt-level "z" LLVM still copies what has one caller into it, until a
	# function is large and its frame too, and every access to that takes long
	# offsets: a twelfth of the program (docs/DECISIONS.md has the numbers).
	flag -Cllvm-args=--inline-threshold=3
	flag -Cllvm-args=--inline-max-stacksize=128
	# What is cheap to compute again is not kept in a register over a loop.
	flag -Cllvm-args=-disable-machine-licm
	flag -Cllvm-args=-disable-lsr
	# Registers are given out by plain rules and addresses are taken where they are
	# needed, which repeats itself more: gzip makes less of it.
	flag -Cllvm-args=-regalloc=basic
	flag -Cllvm-args=-disable-machine-cse
	# What is longer than a register is copied by memcpy. Compilers with an older LLVM can't be told so.
	if [ "$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')" -ge 22 ]; then
		flag -Cllvm-args=-max-store-memcpy=1
		flag -Cllvm-args=-max-store-memmove=1
	fi
	[ -z "$LLVM_FLAGS" ] || flag "-Cllvm-args=$LLVM_FLAGS"
}

# What the linker's own stripping leaves although nothing loads it. On MIPS
# that is the procedure table .pdr, a tenth of the file.
strip_rest() {
	host=$(rustc -vV | sed -n 's/^host: //p')
	sysroot=$(rustc --print sysroot)
	LD_LIBRARY_PATH=$sysroot/lib "$sysroot/lib/rustlib/$host/bin/rust-objcopy" \
		--strip-all -R .pdr -R .comment "$1" "$2"
}

# A panic cannot unwind here (cross-unwind.c): the first failing test ends the
# run, with its message as nothing is captured. Tests that must panic are left
# out, and those that measure time: an emulator says nothing about that.
run_tests() {
	instructions
	export CARGO_ENCODED_RUSTFLAGS="$flags"
	# Optimised as what is shipped, for the emulator is to find what that breaks.
	export CARGO_PROFILE_RELEASE_PANIC=unwind CARGO_PROFILE_RELEASE_STRIP=none
	cargo test --locked --release --lib -- -Z unstable-options --exclude-should-panic --nocapture \
		--skip in_time_proportional "$@"
}

prepare() {
	export CARGO_TARGET_DIR="$PWD/target/cross" CARGO_BUILD_TARGET="$TARGET"
	name=$(printf %s "$TARGET" | tr a-z- A-Z_)
	[ -z "$QEMU" ] || export "CARGO_TARGET_${name}_RUNNER=$QEMU"
	# Static without a dynamic section, and at a fixed address: nothing is
	# relocated at the start, and a 16 MB router pays for no unused table.
	flags=
	flag -Ctarget-feature=+crt-static
	flag -Crelocation-model=static
	[ -z "$RUST_FLAG" ] || flag "$RUST_FLAG"
	# The variable below replaces what cargo would read there.
	# shellcheck disable=SC2013  # none has a blank
	for cfg in $(sed -n "s/^ *'\(--cfg=.*\)',\$/\1/p" .cargo/config.toml); do
		flag "$cfg"
	done
	# What panics print must not tell where it was built, nor depend on it.
	flag "--remap-path-prefix=$PWD=."
	flag "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
	if from_rustup; then
		export "CARGO_TARGET_${name}_LINKER=rust-lld"
		flag -Clinker-flavor=ld.lld
	else
		root=$("$here/cross-setup.sh" "$ARCH")
		export "CARGO_TARGET_${name}_LINKER=$root/$TARGET/ld"
		flag -Clinker-flavor=ld.lld
		flag -Clink-self-contained=no
		flag "--remap-path-prefix=$root/library=/rust/library"
		# Cargo builds the standard library along with gwha. Both are unstable
		# features of a stable compiler, hence the first of the variables.
		export RUSTC_BOOTSTRAP=1 "__CARGO_TESTS_ONLY_SRC_ROOT=$root/library"
		export CARGO_UNSTABLE_BUILD_STD=std,panic_abort
		# A stripped program has no names to show in a backtrace.
		export CARGO_UNSTABLE_BUILD_STD_FEATURES=optimize_for_size,backtrace-trace-only
	fi
	export CARGO_ENCODED_RUSTFLAGS="$flags"
	# libtest asks this variable whether the option above is allowed.
	[ "$command" != test ] || export RUSTC_BOOTSTRAP=1
}

flag() {
	flags="$flags${flags:+$(printf '\037')}$1"
}

from_rustup() {
	case ${GWHA_CROSS_FROM:-} in
	rustup) return 0 ;;
	source) return 1 ;;
	esac
	ls "$(rustc --print target-libdir --target "$TARGET")"/libstd-*.rlib >/dev/null 2>&1
}

main "$@"
