# Everything a contributor does. `make` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
SCRIPTS := $(shell git ls-files '*.sh' .ci/run 'tests/env/*' tests/conformance/run examples/demo | grep -v '\.tsv$$\|\.py$$\|without-root')

.PHONY: conformance demo fuzz soak help test lint unit e2e e2e-cut bench bench-cold bench-replay bench-sizes vectors up down

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /make \1\t/p' $(MAKEFILE_LIST)

demo: ## Build the frontend and examples/media-node, and say what was made
	examples/demo $(SPEC) $(OUT)

test: lint unit e2e-cut ## Everything CI runs

lint: ## Formatting, clippy, shellcheck, licences and sources of dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	shellcheck -x $(SCRIPTS)
	tests/env/deny

unit: ## Tests that need no daemon
	cargo test --workspace --locked

fuzz: ## Look for inputs that crash something, an hour (SECONDS_EACH=300 for each kind of input); needs cargo-fuzz and g++
	command -v cargo-fuzz >/dev/null || cargo install --locked --version 0.13.2 cargo-fuzz
	cd fuzz
	for target in fuzz_targets/*.rs; do
	    name=$$(basename "$$target" .rs)
	    mkdir -p "corpus/$$name" "crashes/$$name"
	    cargo fuzz run --sanitizer none "$$name" "corpus/$$name" "seeds/$$name" "crashes/$$name" -- \
	        -dict=words.dict -max_total_time=$(or $(SECONDS_EACH),327) -timeout=10 -rss_limit_mb=2048
	done

e2e-cut: ## Tests on real BuildKit, in an environment of their own unless `make up` has started one
	tests/env/run cargo test --locked --features e2e --test e2e $(ARGS)

e2e: ## The same, and those that build whole image families (an hour and 40 GB more)
	tests/env/run cargo test --locked --features e2e-full --test e2e $(ARGS)

conformance: ## The contract with BuildKit, point by point, on each builder of the test environment (an hour)
	tests/env/run tests/conformance/run $(BUILDERS)
	INSTA_UPDATE=always cargo test --locked --test docs

soak: ## Five hundred builds on one daemon (EDGENODE_SOAK_BUILDS)
	tests/env/run cargo test --locked --features e2e-full --test e2e -- --nocapture faults::a_daemon_that_builds_all_day

bench: ## Builds with nothing to do, against their peers
	tests/env/run benches/run warm

bench-cold: ## The first build of the example, against one chain of steps (half an hour)
	tests/env/run benches/run cold

bench-sizes: ## How large the CPU and GPU images are, against recipes (an hour and 60 GB)
	tests/env/run benches/sizes

bench-replay: ## The owners' edits one after another, against Dockerfiles (hours; NODE, EDITS, VARIANTS, FFMPEG, PYTHON and TORCH choose)
	tests/env/run benches/replay/run target/replay.json
	benches/replay/plot target/replay.json >target/replay.svg

vectors: ## Make the graphs of the Go client anew
	cd crates/buildkit-llb/tests/go
	go run . >../go.json

up: ## Start the test environment by hand
	tests/env/up

down: ## Stop it
	tests/env/down
