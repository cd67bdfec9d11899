# The LuCI app; included by the Makefile.

.PHONY: luci luci-deps luci-pot

GWHA ?= target/release/gwha

luci: luci-deps ## Tests the LuCI pages in Chromium with running daemons, and takes their screenshots
	[ -x "$(GWHA)" ] || cargo build --release --bin gwha
	cd tests/luci && GWHA=$(abspath $(GWHA)) npm test --silent

luci-pot: ## Gathers the texts of the LuCI app for translators
	tools/luci-pot.sh

# Node 20 or later is expected; Debian has it as nodejs and npm.
luci-deps:
	set -e; missing=; for entry in node=nodejs npm=npm chromium=chromium ip=iproute2 unshare=util-linux; do \
		command -v $${entry%%=*} >/dev/null || missing="$$missing $${entry#*=}"; done; \
	[ -z "$$missing" ] || { apt-get -qq update; apt-get -qq install -y --no-install-recommends $$missing fonts-dejavu-core; }
	cd tests/luci && npm ci --silent --no-audit --no-fund
