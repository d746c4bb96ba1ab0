# What can be done here: `make help`.

FUZZ_SECONDS ?= 30
FUZZ_TARGETS := decoder validator descriptor json avro
SOAK_ROUNDS ?= 1000
NIGHTLY ?= nightly

# The tests start servers of their own from these packages; the services that the packages start are not used.
SERVERS := '/usr/lib/postgresql/*/bin/postgres:postgresql' psql:postgresql-client pgbouncer:pgbouncer \
	mariadbd:mariadb-server mariadb:mariadb-client openssl:openssl

TOOLS := target/tools
SCHEMATHESIS := $(TOOLS)/schemathesis/bin/st
READERS := $(TOOLS)/readers/bin/fastavro
REFERENCE := $(TOOLS)/frictionless/bin/frictionless
VERSITYGW := $(TOOLS)/versitygw/versitygw
AZURITE := $(TOOLS)/azurite/node_modules/.bin/azurite-blob

.DEFAULT_GOAL := help
.PHONY: help test needs format lint tests soak fuzz fuzz-needs bench data

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "make %-8s %s\n", $$1, $$2 }'

test: needs format lint tests ## Install what the tests need, and run them all
	@echo "make test: everything passed"

needs: $(SCHEMATHESIS) $(READERS) $(REFERENCE) $(VERSITYGW) $(AZURITE)
	@./.ci/needs cc:build-essential sqlite3:sqlite3 curl:curl rustup:rustfmt rustup:clippy $(SERVERS)

# What makes requests from the OpenAPI document, in a Python environment of its own.
$(SCHEMATHESIS):
	@./.ci/needs python3:python3 python-venv
	python3 -m venv $(TOOLS)/schemathesis
	$(TOOLS)/schemathesis/bin/python -m pip install --quiet schemathesis==4.32.5
	@touch $@

# Two programs that read the Avro files that the tests write.
$(READERS):
	@./.ci/needs python3:python3 python-venv
	python3 -m venv $(TOOLS)/readers
	$(TOOLS)/readers/bin/python -m pip install --quiet \
		fastavro==1.13.1 avro==1.12.2 backports.zstd==1.8.0 zstandard==0.25.0 cramjam==2.14.0 python-snappy==0.7.3
	@touch $@

# The reference validator of the Data Package standard.
$(REFERENCE):
	@./.ci/needs python3:python3 python-venv
	python3 -m venv $(TOOLS)/frictionless
	$(TOOLS)/frictionless/bin/python -m pip install --quiet frictionless==5.21.0
	@touch $@

# Object storage for tests: one that speaks as S3 does and verifies signatures, and one that speaks as Azure Blob Storage does.
$(VERSITYGW):
	@./.ci/needs go:golang-go
	GOBIN=$(CURDIR)/$(TOOLS)/versitygw go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
	@touch $@

$(AZURITE):
	@./.ci/needs node:nodejs npm:npm
	npm install --silent --no-audit --no-fund --prefix $(TOOLS)/azurite azurite@3.35.0
	@touch $@

# One after the other, also under `make -j`: each of them uses all cores.
format: needs
	cargo fmt --all --check

lint: format
	cargo clippy --workspace --all-targets --locked -- -D warnings

tests: lint
	cargo test --workspace --locked

soak: needs ## The long tests: a load that is killed again and again (SOAK_ROUNDS=1000)
	LANDFALL_SOAK=1 LANDFALL_SOAK_ROUNDS=$(SOAK_ROUNDS) cargo test --workspace --release --locked -- --nocapture
	@echo "make soak: everything passed"

fuzz: fuzz-needs ## Each fuzz target for a while (FUZZ_SECONDS=30), from its seeds
	@for target in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$target; \
		cargo +$(NIGHTLY) fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 || exit 1; \
	done
	@echo "make fuzz: nothing found"

# Fuzzing needs a nightly compiler (for its sanitizers) and a C++ compiler (for libFuzzer).
fuzz-needs:
	@./.ci/needs c++:build-essential
	@cargo +$(NIGHTLY) --version >/dev/null 2>&1 || rustup toolchain install $(NIGHTLY) --profile minimal \
		|| { echo "make fuzz: there is no $(NIGHTLY) compiler, and rustup cannot install one" >&2; exit 1; }
	@cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked

bench: ## Measure load and check against their yardsticks (minutes)
	@./.ci/needs sqlite3:sqlite3 python3:python3 python-venv $(SERVERS)
	cargo xtask bench load
	cargo xtask bench load --target postgres
	cargo xtask bench load --target postgres --rows 1000000 --held 1000000
	cargo xtask bench load --target mysql
	cargo xtask bench http
	cargo xtask bench reports
	cargo xtask bench backup
	cargo xtask bench check
	cargo xtask bench files

data: ## Write the example's data afresh
	cargo xtask gen hr
