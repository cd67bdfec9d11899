# shellcheck shell=sh
# The OpenWrt package architectures gwha is packed for. Sourced, never run.
#
# An OpenWrt architecture names a CPU more closely than Rust does, so several
# of them share one binary: the one of their CPU family.

# The architectures of which each family is tried, in the order of the tables.
# shellcheck disable=SC2034  # read by the scripts that source this one
ARCHES="x86_64 aarch64_cortex-a53 arm_cortex-a7_neon-vfpv4 mipsel_24kc mips_24kc riscv64"

# Calls in tail position are jumps, division by zero is tested once (Rust does it
# already), and instructions stay in the order of the source, which repeats itself
# more.
# Nor is C compiled as if it might be in a shared library, where each function
# finds out first where it is.
MUSL_FLAGS_MIPS="-mno-abicalls -fno-pic -G0 -mno-gpopt"
LLVM_FLAGS_MIPS="-mips-tail-calls -mno-check-zero-division -pre-RA-sched=source"

# By itself LLVM moves what repeats itself there into functions of their own, which
# makes a smaller program and a larger package: gzip does it better.
LLVM_FLAGS_64="-enable-machine-outliner=never"

# arch_lookup ARCH: sets
#   ARCH     the name opkg knows (`opkg print-architecture`)
#   TARGET   the Rust target
#   CC_FLAGS what clang needs to compile C for it
#   MUSL_FLAGS what makes musl smaller there
#   RUST_FLAG  what rustc needs besides, mostly nothing
#   LLVM_FLAGS what makes its code smaller there, packed
#   CODE_MODEL how far addresses may be from each other, or from 0
#   QEMU     the user-mode emulator that runs it, empty where none is needed
#   MACHINE  `Class Data Machine` as in the ELF header
arch_lookup() {
	ARCH=$1
	MUSL_FLAGS=
	RUST_FLAG=
	LLVM_FLAGS=
	CODE_MODEL=
	case $1 in
	x86_64)
		TARGET=x86_64-unknown-linux-musl
		CC_FLAGS="--target=x86_64-linux-musl"
		QEMU=qemu-x86_64-static
		[ "$(uname -m)" != x86_64 ] || QEMU=
		MACHINE="ELF64 little X86-64" ;;
	aarch64_cortex-a53 | aarch64_cortex-a72 | aarch64_cortex-a76 | aarch64_generic)
		TARGET=aarch64-unknown-linux-musl
		LLVM_FLAGS=$LLVM_FLAGS_64
		# An address takes one instruction within 1 MB, two beyond. The linker refuses what is larger.
		CODE_MODEL=tiny
		CC_FLAGS="--target=aarch64-linux-musl"
		QEMU=qemu-aarch64-static
		MACHINE="ELF64 little AArch64" ;;
	arm_cortex-a[0-9]*_*vfp*)
		# OpenWrt's hard-float ARMv7; NEON is not used, so one fits all.
		TARGET=armv7-unknown-linux-musleabihf
		CC_FLAGS="--target=armv7-linux-musleabihf -mfpu=vfpv3-d16 -mthumb"
		RUST_FLAG=-Ctarget-feature=+thumb-mode
		QEMU=qemu-arm-static
		MACHINE="ELF32 little ARM" ;;
	mipsel_24kc | mipsel_74kc)
		TARGET=mipsel-unknown-linux-musl
		CC_FLAGS="--target=mipsel-linux-musl -march=mips32r2 -msoft-float"
		MUSL_FLAGS=$MUSL_FLAGS_MIPS
		LLVM_FLAGS=$LLVM_FLAGS_MIPS
		QEMU=qemu-mipsel-static
		MACHINE="ELF32 little MIPS" ;;
	mips_24kc)
		TARGET=mips-unknown-linux-musl
		CC_FLAGS="--target=mips-linux-musl -march=mips32r2 -msoft-float"
		MUSL_FLAGS=$MUSL_FLAGS_MIPS
		LLVM_FLAGS=$LLVM_FLAGS_MIPS
		QEMU=qemu-mips-static
		MACHINE="ELF32 big MIPS" ;;
	riscv64 | riscv64_riscv64 | riscv64_generic)
		# 24.10 says riscv64_riscv64, 25.12 riscv64_generic; ipk means 24.10.
		[ "$1" != riscv64 ] || ARCH=riscv64_riscv64
		TARGET=riscv64gc-unknown-linux-musl
		LLVM_FLAGS=$LLVM_FLAGS_64
		# Addresses as they are instead of by the distance, which is another one everywhere.
		CODE_MODEL=small
		CC_FLAGS="--target=riscv64-linux-musl -march=rv64gc -mabi=lp64d"
		QEMU=qemu-riscv64-static
		MACHINE="ELF64 little RISC-V" ;;
	*)
		echo "unknown OpenWrt architecture '$1'; known: $ARCHES" >&2
		return 1 ;;
	esac
}
