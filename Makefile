# gwha's development tasks. `make` alone lists them. Each installs by itself what it needs and this machine lacks.

.DEFAULT_GOAL := help
.PHONY: help demo check test e2e sim bench bench-leases soak oracles fuzz mips deps

SETS := build lab e2e bench oracles cross luci
SEED ?=
RUNS ?= 20000
REPS ?= 5
SECONDS ?= 60
MINUTES ?= 30
KEEP ?=

help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: deps-build deps-lab ## Two gateways fail over before your eyes, in a minute (KEEP=1 leaves them running)
	cargo build --release --bin gwha --example demo
	KEEP=$(KEEP) target/release/examples/demo

check: deps-build deps-lab ## Fast, without root: format, lints, unit and conformance tests, some simulations
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	cargo clippy --test e2e --test soak -- -D warnings
	cargo test

test: check oracles mips packaging cross-test e2e luci demo ## Everything CI runs

e2e: deps-build deps-e2e ## Real daemons, also keepalived, in network namespaces (T=NAME runs one)
	cargo test --test e2e -- --test-threads=2 $(T)

sim: deps-build ## Simulates RUNS= random histories, or tells the one of SEED=
	$(if $(SEED),SEED=$(SEED) TRACE=1,RUNS=$(RUNS)) cargo test --release --test sim swarm -- --nocapture

bench: deps-build deps-bench deps-cross ## gwha, as it is packed, and keepalived side by side: takeover (REPS=), cost, jitter, attacks (writes target/bench*.md)
	export GWHA=$$(tools/cross.sh build x86_64); \
		REPS=$(REPS) cargo bench --bench failover && cargo bench --bench moves --bench cost --bench hostile

soak: deps-build deps-e2e ## A pair of routers and a mishap every few seconds for MINUTES=, then hours of simulated time
	cargo build --release --bin gwha
	GWHA=$(CURDIR)/target/release/gwha MINUTES=$(MINUTES) SEED=$(SEED) cargo test --test soak
	RUNS=$(RUNS) cargo test --release --test sim swarm -- --nocapture

bench-leases: deps-build deps-e2e ## How soon a DHCP lease is on the standby (SECONDS=, writes target/bench-leases.md)
	SECONDS=$(SECONDS) cargo bench --bench leases

oracles: deps-build deps-oracles ## Compares our readers of UCI and ubus data with OpenWrt's own
	set -e; for crate in tests/*-oracle/Cargo.toml; do \
		cargo test --release --manifest-path $$crate --target-dir target/oracles; done

fuzz: deps-build ## Fuzzes every target for SECONDS=, or the one of T= (installs cargo-fuzz)
	set -e; command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz; \
	for target in $(or $(T),$(notdir $(wildcard fuzz/seeds/*))); do mkdir -p fuzz/corpus/$$target; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
		-max_total_time=$(SECONDS) -malloc_limit_mb=64; done

mips: deps-build deps-cross ## Checks that it compiles for a big-endian 32-bit router
	tools/mips-check.sh

deps: ## Installs everything any target needs
	tools/deps.sh $(SETS)

.PHONY: $(SETS:%=deps-%)
$(SETS:%=deps-%): deps-%:
	@tools/deps.sh $*

include tools/package.mk
include tools/luci.mk
