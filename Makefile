# Everything a contributor does. `make` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
SCRIPTS := $(shell git ls-files '*.sh' .ci/run 'tests/env/*' | grep -v '\.tsv$$')

.PHONY: help test lint unit

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST)

test: lint unit ## Everything CI runs

lint: ## Formatting, clippy, shellcheck
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	shellcheck -x $(SCRIPTS)

unit: ## Tests that need no daemon
	cargo test --workspace --locked
