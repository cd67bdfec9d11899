#!/bin/sh
# gwha on the CPUs of routers: the program and the unit tests, built for each
# ARCH and run under qemu's user mode where this machine is of another kind.
#
#   cross.sh ARCH...
#
# Prints a table of sizes, what ran, and how long it took.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
TMPDIR=$(mktemp -d)
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
# shellcheck source=tests/packaging/lib.sh
. "$here/lib.sh"
# shellcheck source=tools/cross-arch.sh
. "$top/tools/cross-arch.sh"
cd "$top"

main() {
	for arch in "$@"; do
		one "$arch"
	done
	echo
	echo "architecture                 program   .ipk  build  tests (time)"
	cat "$TMPDIR/table"
	echo
	summary
}

one() {
	arch_lookup "$1"
	echo "# $ARCH"
	began=$(date +%s)
	program=$(tools/cross.sh build "$ARCH" 2>"$TMPDIR/build.log") || { cat "$TMPDIR/build.log"; exit 1; }
	built=$(($(date +%s) - began))
	ipk=$(tools/ipk.sh gwha "$ARCH" "$program" "$TMPDIR")
	run_program
	began=$(date +%s)
	ran="not run"
	fact "the unit tests pass" unit_tests
	ran=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$TMPDIR/tests" | tail -1)
	over=
	[ "$(wc -c <"$ipk")" -le 409600 ] || over="over 400 KB"
	printf '%-26s %9d %6d  %4ss  %s (%ss) %s\n' "$ARCH" "$(wc -c <"$program")" "$(wc -c <"$ipk")" \
		"$built" "${ran:-failed}" "$(($(date +%s) - began))" "$over" >>"$TMPDIR/table"
}

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)

run_program() {
	fact "--version says $version" contains "$(run --version)" "$version"
	fact "check accepts the smallest configuration" run check --config "$here/smallest.uci"
	fact "check accepts the reference configuration" run check --config "$here/reference.uci"
	fact "check refuses a wrong one" refuses
	fact "and names its line" contains "$(run check --config "$here/wrong.uci" 2>&1)" "wrong.uci:6"
}
# shellcheck disable=SC2086  # QEMU may be empty
run() { timeout 60 $QEMU "$program" "$@"; }
refuses() { ! run check --config "$here/wrong.uci"; }

# Everything that is pure: what a CPU's word size and byte order could break,
# nothing that asks the kernel (an old qemu-mips swaps netlink wrongly).
unit_tests() {
	status=0
	tools/cross.sh test "$ARCH" wire:: engine:: config:: uci:: ubus:: >"$TMPDIR/tests" 2>&1 || status=$?
	tail -40 "$TMPDIR/tests"
	return $status
}

main "$@"
