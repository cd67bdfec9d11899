# Packages for OpenWrt; included by the Makefile.
#
# ARCH=  what `opkg print-architecture` says on the router. Without it, every
#        architecture of tools/cross-arch.sh is built.
# OUT=   where the packages and their index go.

.PHONY: ipk dist cross-test packaging

OUT ?= target/ipk
ARCH ?=
ARCHES := $(shell . tools/cross-arch.sh && echo $$ARCHES)

ipk: deps-build ## Packs gwha for ARCH= (or all) and the LuCI app as .ipk, with a feed index
	tools/deps.sh ipk
	set -e; for arch in $(or $(ARCH),$(ARCHES)); do \
		program=$$(tools/cross.sh build $$arch); \
		tools/ipk.sh gwha $$arch $$program $(OUT); \
	done
	set -e; if [ -d luci-app ]; then tools/ipk.sh luci-app-gwha $(OUT); \
		else echo "no luci-app/ here: luci-app-gwha is not packed"; fi
	tools/ipk.sh index $(OUT)

dist: deps-build ## Makes the release tarball, with the crates it needs
	tools/deps.sh ipk
	tools/dist.sh $(OUT)

# x86_64 and both byte orders of MIPS: what differs between the CPUs differs
# most between these.
cross-test: deps-build ## Runs the program and the unit tests as MIPS (both byte orders) and x86_64
	tools/deps.sh qemu
	tests/packaging/cross.sh $(or $(ARCH),x86_64 mipsel_24kc mips_24kc)

packaging: deps-build ## Checks packages, init script and OpenWrt Makefiles
	tools/deps.sh packaging
	tests/packaging/run.sh
