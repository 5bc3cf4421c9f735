# Every target works as the first and only command on a fresh machine.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo up down peers test test-again lint bench bench-kafka curve soak contracts contracts-check image-twice lock

VENV := .venv
BIN := $(VENV)/bin
# pytest's exit code; 1 says that all tests were run and some failed.
ENDED := .pytest_cache/ended
export ETH_HASH_BACKEND := pysha3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/runtime.done ## Run the whole pipeline once in a temporary folder.
	$(BIN)/sixgate demo

up: $(VENV)/runtime.done ## Start Kafka, ClickHouse, registrar, gates, signer, custody and ledger on loopback (needs Java 17, Maven, Node.js 20).
	$(BIN)/python -m infra.local up --processes

down: $(VENV)/runtime.done ## Stop them all; their data stays in build/local.
	$(BIN)/python -m infra.local down

peers: $(VENV)/dev.done ## Run stand-ins of three clouds' KMSs on loopback until Ctrl-C, and say where.
	$(BIN)/python -m tests.harness.kms

test: $(VENV)/dev.done ## Run every test.
	@rm -f $(ENDED)
	$(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder || { echo $$? > $(ENDED); exit 1; }

test-again: $(VENV)/dev.done ## After a whole run, run what failed in it once more, with nothing beside it.
	@grep -qsx 1 $(ENDED) || { echo "No test failed, or the run was cut: make test."; exit 1; }
	$(BIN)/python -c 'import json; failed = json.load(open(".pytest_cache/v/cache/lastfailed")); print("Once more, alone:", *failed, sep="\n  "); exit(len(failed) > 3)'
	$(BIN)/pytest -q -x --last-failed --last-failed-no-failures none

lint: $(VENV)/dev.done ## Run linters, types and import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.done ## Measure everything beside its peers; writes its part of docs/benchmarks.md.
	$(BIN)/python -m benchmarks

bench-kafka: $(VENV)/dev.done ## Measure the scaled pipeline the same way, on real servers.
	$(BIN)/python -m benchmarks.kafka

curve: $(VENV)/dev.done ## Show that an intent's cost does not grow, in its short form.
	$(BIN)/python -m benchmarks.curve --intents 20000

soak: $(VENV)/dev.done ## The long forms: a million intents, 700 kills, a million hostile messages, ten times the examples; hours.
	$(BIN)/python -m benchmarks.curve --intents 1000000
	SIXGATE_KILLS=500 SIXGATE_LEDGER_KILLS=100 SIXGATE_SCALED_KILLS=100 SIXGATE_SCALED_INTENTS=500 \
	  SIXGATE_BUS_MESSAGES=1000000 $(BIN)/pytest -q -s tests/faults
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -q -n 2 --dist loadfile tests/unit tests/property

contracts: ## Compile the simulator's Solidity (needs Node.js 20).
	@command -v npm >/dev/null || { echo "make contracts needs Node.js 20 or newer with npm."; exit 1; }
	npm ci --prefix streams/simulators/contracts --no-audit --no-fund --ignore-scripts
	node streams/simulators/contracts/compile.mjs

contracts-check: ## Recompile and compare with the committed byte code.
	@command -v npm >/dev/null || { echo "make contracts-check needs Node.js 20 or newer with npm."; exit 1; }
	npm ci --prefix streams/simulators/contracts --no-audit --no-fund --ignore-scripts
	node streams/simulators/contracts/compile.mjs --check

image-twice: $(VENV)/dev.done ## Build the wheel and the image's layer twice, and compare.
	$(BIN)/python -m infra.image twice

lock: ## Resolve the locks again (needs uv).
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --extra dev pyproject.toml -o requirements/dev.txt
	echo 'setuptools>=80' | uv pip compile -q --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate - -o requirements/build.txt

$(VENV)/bin/python:
	@python=$$(infra/find_python.sh) && "$$python" -m venv $(VENV)

# pip checks every hash; our own package is linked, not built in isolation.
$(VENV)/%.done: requirements/%.txt requirements/build.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r requirements/$*.txt
	$(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r requirements/build.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	@touch $@
