#!/bin/sh
# tools/mips-check.sh: does the program compile for a big-endian 32-bit MIPS router?
#
# Nothing is linked, so no cross compiler is needed; only the standard library's sources (tools/cross-setup.sh). It
# finds what breaks there alone: 64-bit atomics, a 32-bit time_t, byte order hidden in types.
set -eu
cd "$(dirname "$0")/.."
root=$(tools/cross-setup.sh library)
# The stable compiler accepts unstable options with the first variable; cargo takes the sources from the second.
RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT=$root/library \
    cargo check --lib --bins --target mips-unknown-linux-musl -Zbuild-std=std,panic_abort "$@"
