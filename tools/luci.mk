# The LuCI app; included by the Makefile.

.PHONY: luci luci-lint luci-pot

NODE_BIN := tests/luci/node_modules/.bin

luci: deps-build deps-luci luci-lint ## Tests the LuCI pages in Chromium with running daemons, and takes their screenshots
	cargo build --release --bin gwha --example broker
	cd tests/luci && npm test --silent

luci-lint: tests/luci/node_modules
	cd luci-app && ../$(NODE_BIN)/eslint --config ../tests/luci/eslint.config.mjs htdocs
	cd tests/luci && node_modules/.bin/eslint .
	tools/luci-pot.sh check

luci-pot: deps-luci ## Gathers the texts of the LuCI app for translators
	tools/luci-pot.sh

tests/luci/node_modules: tests/luci/package-lock.json
	cd tests/luci && npm ci --silent --no-audit --no-fund
	touch $@
