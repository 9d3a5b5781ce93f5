# The only command surface. Each target installs what it needs, pinned, inside the repository: .venv-*, .tools.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

NEXTEST_VERSION := 0.9.143
DENY_VERSION := 0.20.2
MDBOOK_VERSION := 0.5.4
# Their packages: the first name in each manifest, which need not be the folder's.
FUNCTIONS := $(shell awk -F '"' '/^name = / && !seen[FILENAME]++ {print $$2}' functions/*/Cargo.toml)
RELEASE ?=
PROFILE := $(if $(RELEASE),release,debug)
export PATH := $(CURDIR)/.tools/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0
.PHONY: help setup fmt lint openapi check-pure test-unit test-it test walk client soak latency permissions cost scale docs release smoke-aws trust histories mutants sbom bench deny validate build packages target-std build-local start-times demo local clean-local conformance bench-speed bench-splink bench-import bench-one-machine purge-at-size \
	build-demo demo-compare deploy ci

help: ## this list
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z%-]+):.*## /\1\t/' | expand -t 14

# ---- What is needed

# An environment is made anew whenever its list of packages changes.
.venv-%/.done: local/tools/%-requirements.txt
	@local/tools/require.sh
	python3 -m venv --clear $(@D)
	$(@D)/bin/pip install --quiet --disable-pip-version-check $(if $(findstring lambda,$@),--no-deps) -r $<
	@touch $@

.tools/nextest.done:
	@local/tools/require.sh
	@mkdir -p .tools
	cargo nextest --version >/dev/null 2>&1 || cargo install --locked --root .tools cargo-nextest@$(NEXTEST_VERSION)
	@touch $@

# Built with little optimisation: it runs for a second, and building it is what takes time.
.tools/deny.done:
	@local/tools/require.sh
	@mkdir -p .tools
	cargo deny --version >/dev/null 2>&1 || CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
		CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 cargo install --locked --root .tools cargo-deny@$(DENY_VERSION)
	@touch $@

.tools/mdbook.done:
	@local/tools/require.sh cargo
	@mkdir -p .tools
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
		cargo install --locked --root .tools mdbook@$(MDBOOK_VERSION)
	@touch $@

# A browser, and two packages of the lock file that drive it and look at pages.
.tools/walk.done: tests/walk/package.json tests/walk/package-lock.json
	@mkdir -p .tools
	@local/tools/browser.sh
	npm ci --prefix tests/walk --ignore-scripts --no-audit --no-fund
	@touch $@

setup: .venv-aws/.done .tools/nextest.done ## installs what the demo and the tests need, into this folder

# ---- The code

fmt: ## formats the code
	cargo fmt --all

lint: ## formatting, clippy and documentation without a warning
	@local/tools/require.sh
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --all-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items

openapi: .tools/nextest.done ## writes docs/openapi.yaml from the code of functions/api
	UPDATE_OPENAPI=1 cargo nextest run --workspace \
		-E 'package(api) & test(the_served_description_is_the_one_that_the_code_gives)'

check-pure: ## the common crate and the engine build without AWS
	@local/tools/check-pure.sh

test-unit: .tools/nextest.done ## tests that need no service
	cargo nextest run --workspace --exclude tests

test-it: .tools/nextest.done .venv-aws/.done build-local ## tests on the local stack, with the real function binaries
	cargo nextest run --package tests

test: .tools/nextest.done .tools/walk.done .venv-aws/.done build-local ## all tests; both demos' reports, line by line; the console as far as the first match
	cargo nextest run --workspace
	target/debug/stack compare .local/test-demo-embedded.report .local/test-demo-emulator.report
	SHORT=1 node tests/walk/walk.mjs

walk: .tools/nextest.done .tools/walk.done build-local ## an admin's way through the console in a browser, by keyboard alone (minutes; LOOK=folder for pictures; not part of ci)
	rm -rf .local/hostile-pages
	HOSTILE_PAGES=$(CURDIR)/.local/hostile-pages cargo nextest run --workspace --lib -E 'package(console) & test(checklist_28)'
	HOSTILE_PAGES=$(CURDIR)/.local/hostile-pages node tests/walk/walk.mjs

client: .tools/walk.done ## the TypeScript client: types from docs/openapi.yaml, compiled and tested, the badge in a browser (seconds; not part of ci)
	npm ci --prefix clients/typescript --ignore-scripts --no-audit --no-fund
	npm run --prefix clients/typescript build
	npm test --prefix clients/typescript

soak: .tools/nextest.done build-local ## kills crm-sync serve every few seconds while its org changes (SOAK_MINUTES=30; not part of ci)
	SOAK_PROGRAM=$(CURDIR)/target/$(PROFILE)/crm-sync cargo nextest run --workspace --test it --profile soak --run-ignored only --no-capture

latency: .tools/nextest.done build-demo ## how soon what sellers do is in Salesforce: at rest, with fifty of them, beside 100,000 of the past (minutes; not part of ci)
	SOAK_PROGRAM=$(CURDIR)/target/demo/crm-sync cargo nextest run --workspace --test it --profile load \
		--ignore-default-filter -E 'test(/^latency::/)' --run-ignored only --no-capture

schemathesis: .tools/nextest.done .venv-schemathesis/.done build-demo ## every operation of docs/openapi.yaml, called by Schemathesis as four callers (ten minutes; not part of ci)
	SOAK_PROGRAM=$(CURDIR)/target/demo/crm-sync cargo nextest run --workspace --test it --profile load \
		--ignore-default-filter -E 'test(/^schemathesis::/)' --run-ignored only --no-capture

permissions: .tools/nextest.done .venv-aws/.done build-local ## what functions ask of AWS in the tests, beside what their roles allow, in docs/permissions.md (minutes; not part of ci)
	rm -rf .local/calls && mkdir -p .local/calls
	CRM_SYNC_CALLS=$(CURDIR)/.local/calls cargo nextest run --workspace --test it -E 'not test(/^(soak|permissions)::/)'
	UPDATE_PERMISSIONS=1 cargo nextest run --workspace --test it --test-threads 1 -E 'test(/^permissions::/)'

cost: .tools/nextest.done ## what a connection takes on AWS, counted and priced, in docs/cost.md (ROWS=; minutes; not part of ci)
	bench/cost/run.sh $(or $(ROWS),100000)

scale: ## the queues of ten thousand tenants, simulated, in docs/scale.md (seconds; not part of ci)
	python3 bench/scale/model.py docs/scale.md

trust: .tools/nextest.done .venv-aws/.done build-local ## faults, attacks, histories and noisy neighbours, told in docs/trust.md (minutes; not part of ci)
	@local/tools/require.sh
	python3 local/tools/trust.py

histories: .tools/nextest.done ## five hundred further histories of an import, and a whole job killed at every eleventh of its calls (CRM_SYNC_HISTORIES= CRM_SYNC_SEED= CRM_SYNC_KILL_EVERY=; minutes; not part of ci)
	CRM_SYNC_HISTORIES=$(or $(CRM_SYNC_HISTORIES),500) CRM_SYNC_SEED=$(or $(CRM_SYNC_SEED),101) CRM_SYNC_KILL_EVERY=$(or $(CRM_SYNC_KILL_EVERY),11) \
		cargo nextest run --workspace --profile trust \
		-E 'package(tests) & test(/after_any_history_our_records|flows::killed::killed_at_any_call/)'

mutants: .tools/nextest.done ## breaks one place at a time and tells which tests notice, in docs/mutations.md (ONLY=id; up to an hour; not part of ci)
	@local/tools/require.sh
	python3 tests/mutants/run.py $(if $(ONLY),$(ONLY),--write)

docs: .tools/mdbook.done ## the pages of docs/ as a site, in target/site (minutes the first time; not part of ci)
	mdbook build

release: ## the optimised program, as target/release/crm-sync (ten minutes; not part of ci)
	@local/tools/require.sh cargo
	cargo build --release --package crm-sync

smoke-aws: .venv-aws/.done ## tries a deployed stage on a throw-away account (STACK=, a token in CRM_SYNC_TOKEN; ONLY=steps; not part of ci)
	@: "$${STACK:?make smoke-aws STACK=crm-sync-smoke}"
	.venv-aws/bin/python local/tools/smoke.py "$$STACK" $(if $(ONLY),--only $(ONLY))

sbom: ## what the program is made of, as target/sbom.cdx.json (CycloneDX)
	@local/tools/require.sh cargo
	python3 local/tools/sbom.py target/sbom.cdx.json

bench: ## the benchmarks
	cargo bench --workspace

conformance: ## clients that others wrote, unmodified, against the simulator (installs them; not part of ci)
	@local/tools/require.sh
	python3 local/salesforce/conformance/run.py

bench-speed: ## a million people and a million leads, timed and checked (LARGE= SMALL= for your own sets; not part of ci)
	bench/speed/run.sh '$(LARGE)' '$(SMALL)'

bench-splink: ## our engine beside Splink on the same files: the ratio, and the chart (SET= for your own; installs it; not part of ci)
	bench/splink/run.sh $(SET)

bench-one-machine: ## one process on a million rows, and its import beside simple-salesforce (ROWS= RUNS=; not part of ci)
	bench/one-machine/run.sh '$(ROWS)' '$(RUNS)'

bench-import: ## the import's pipeline, and a million rows beside two public readers (installs them; not part of ci)
	bench/import/run.sh

purge-at-size: ## a purge of two million items on disk, undisturbed and with kills, looked at from outside (minutes; ITEMS= for others; not part of ci)
	@local/tools/require.sh cargo
	cargo run --profile demo --package purge-bench -- $(or $(ITEMS),2000000)

deny: .tools/deny.done ## licences, sources and banned crates
	cargo deny --log-level error --all-features check --hide-inclusion-graph bans licenses sources

validate: .venv-sam/.done ## checks template.yaml, and the AWS commands of the operators' pages
	.venv-sam/bin/cfn-lint template.yaml
	AWS_DEFAULT_REGION=eu-west-1 .venv-sam/bin/sam validate --lint
	.venv-sam/bin/python local/tools/runbook.py docs/runbook.md docs/deploy.md

# ---- Building

# Linked by zig against the glibc of Amazon Linux, whatever this machine's own is.
ARCH ?= x86_64
RUST_TARGET := $(if $(filter arm64,$(ARCH)),aarch64,x86_64)-unknown-linux-gnu
LAMBDA_BUILD = PATH="$(CURDIR)/.venv-lambda/bin:$$PATH" cargo-lambda lambda build --release --compiler cargo-zigbuild \
	--target $(RUST_TARGET) --lambda-dir target/lambda/$(ARCH)

# A function waits for the network: it is made small, all but what is hot (`Cargo.toml`).
build build-% start-times deploy: export CARGO_PROFILE_RELEASE_OPT_LEVEL := z
build build-% start-times deploy: export CARGO_PROFILE_RELEASE_LTO := thin

# The other processor's standard library, where it is not there yet.
target-std:
	@local/tools/require.sh
	@test -d "$$(rustc --print target-libdir --target $(RUST_TARGET))" || rustup target add $(RUST_TARGET)

build: .venv-lambda/.done target-std ## release packages of the functions, under target/lambda/ARCH (ARCH=arm64 for the other processor)
	$(LAMBDA_BUILD) $(addprefix --package ,$(FUNCTIONS))

build-%: .venv-lambda/.done target-std ## one function's release package
	$(LAMBDA_BUILD) --package $*

packages: build ## release packages, held to what provided.al2023 runs (minutes; not part of ci)
	python3 local/tools/packages.py target/lambda/$(ARCH) $(ARCH)

build-local: ## the binaries that the local stack runs; RELEASE=1 for optimised ones
	@local/tools/require.sh
	cargo build --workspace --bins $(if $(RELEASE),--release)

start-times: build ## size of each release binary, and its time from start to first poll beside a hello-world's
	$(LAMBDA_BUILD) --package hello-bench
	python3 local/tools/start_times.py target/lambda/$(ARCH)

# ---- Running

# One process needs cargo alone, and a profile of its own builds fast; the emulator needs its Python too.
STACK ?= embedded
ifeq ($(STACK),emulator)
DEMO_NEEDS := setup build-local
DEMO_BINARIES := target/$(PROFILE)
else
DEMO_NEEDS := build-demo
DEMO_BINARIES := target/demo
endif

build-demo: ## the binaries that the demo runs
	@local/tools/require.sh cargo
	cargo build --profile demo --bins $(addprefix --package ,crm-sync org-generator salesforce-simulator stack)

demo: $(DEMO_NEEDS) ## the main job, end to end, with a report (DEMO_EXIT=1 ends it, FULL=1 takes the full org, STACK=emulator runs the functions; ORG= PEOPLE= COMPANIES= for your own data)
	@$(DEMO_BINARIES)/stack --binaries $(DEMO_BINARIES) demo --on $(STACK) $(if $(DEMO_EXIT),--exit) $(if $(FULL),--full) \
		$(if $(ORG),--org '$(ORG)') $(if $(PEOPLE),--people '$(PEOPLE)') $(if $(COMPANIES),--companies '$(COMPANIES)')

demo-compare: ## both demos, on the small org, and their reports line by line
	$(MAKE) demo DEMO_EXIT=1
	$(MAKE) demo DEMO_EXIT=1 STACK=emulator
	target/demo/stack compare .local/demo-embedded.report .local/demo-emulator.report

local: setup build-local ## everything on this machine, until ctrl-c (ORG=folder of CSV exports)
	@target/$(PROFILE)/stack --binaries target/$(PROFILE) up $(if $(ORG),--org '$(ORG)')

clean-local: ## removes what local runs left
	rm -rf .local

invoke-%: ## invokes a function of the running stack with a sample event, such as invoke-bulk-import.tick
	@target/$(PROFILE)/stack invoke events/$*.json

deploy: .venv-sam/.done .venv-lambda/.done target-std ## builds and deploys a stage to AWS, without a question (STAGE= as in stages/STAGE.env, ARCH=)
	@: "$${STAGE:?make deploy STAGE=production ARCH=x86_64}"
	PATH="$(CURDIR)/.venv-lambda/bin:$(CURDIR)/.venv-sam/bin:$$PATH" .venv-sam/bin/python local/tools/deploy.py "$$STAGE" $(ARCH)

# ---- Everything

# Each crate is built once there: what a second build would need is not kept.
# What only a debugger or a second build would need is not made.
ci: export CARGO_INCREMENTAL := 0
ci: export CARGO_PROFILE_DEV_DEBUG := 0
ci: lint check-pure test deny validate ## everything that a change must pass
