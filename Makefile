# Every target works as the first and only command on a fresh machine.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo up down peers test lint check-packaging soak soak-http bench bench-kafka curve contracts contracts-check image-twice lock

VENV := .venv
BIN := $(VENV)/bin
export ETH_HASH_BACKEND := pysha3
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Compiling every module again in each process takes longer than most tests.
unexport PYTHONDONTWRITEBYTECODE

help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

demo: $(VENV)/runtime.done ## Run the whole pipeline once in a temporary folder.
	$(BIN)/sixgate demo

up: $(VENV)/runtime.done ## Start Kafka, ClickHouse, registrar, gates, signer, custody and ledger on loopback (needs Java 17, Maven, Node.js 20).
	$(BIN)/python -m tools.local up --processes

down: $(VENV)/runtime.done ## Stop everything that `make up` started; data stays in build/local.
	$(BIN)/python -m tools.local down

peers: $(VENV)/dev.done ## Run stand-ins of three clouds' KMSs on loopback until Ctrl-C, and print their addresses.
	$(BIN)/python -m tests.harness.kms

test: $(VENV)/dev.done ## Run the tests (three workers keep two cores busy) and list the twenty slowest.
	$(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder --durations=20

lint: $(VENV)/dev.done ## Run linters, types and import contracts.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.lint_tree
	$(BIN)/python -m tools.closures

bench: $(VENV)/dev.done ## Measure everything against its peers; writes its section of docs/benchmarks.md.
	$(BIN)/python -m benchmarks

bench-kafka: $(VENV)/dev.done ## Measure the scaled pipeline on real servers; writes its section of docs/benchmarks.md.
	$(BIN)/python -m benchmarks.kafka

curve: $(VENV)/dev.done ## Show that the cost per intent does not grow (short run).
	$(BIN)/python -m benchmarks.curve --intents 20000

soak: $(VENV)/dev.done ## Run all tests with large inputs, and a million intents; takes hours, required before a release.
	$(BIN)/python -m benchmarks.curve --intents 1000000
	$(BIN)/python -m benchmarks.http.soak
	SIXGATE_SOAK=1 $(BIN)/pytest -q -s tests/soak tests/faults
	SIXGATE_SOAK=1 $(BIN)/pytest -q -n 2 --dist loadfile tests/servers tests/property tests/vectors tests/unit

soak-http: $(VENV)/dev.done ## Load the HTTP API: 10,000 idle connections, slow readers and 1,000 reads/s for a minute.
	$(BIN)/python -m benchmarks.http.soak

check-packaging: image-twice ## Check the wheel, the image, Compose, Kubernetes and Terraform files, and the benchmarks.
	$(BIN)/pytest -q -n 2 --dist loadfile tests/packaging

image-twice: $(VENV)/dev.done ## Build the wheel and the image's layer twice and compare them.
	$(BIN)/python -m tools.image twice

contracts: ## Compile the simulator's Solidity (needs Node.js 20).
	@command -v npm >/dev/null || { echo "make contracts needs Node.js 20 or newer with npm."; exit 1; }
	npm ci --prefix streams/simulators/contracts --no-audit --no-fund --ignore-scripts
	node streams/simulators/contracts/compile.mjs

contracts-check: ## Recompile the Solidity and compare with the committed bytecode.
	@command -v npm >/dev/null || { echo "make contracts-check needs Node.js 20 or newer with npm."; exit 1; }
	npm ci --prefix streams/simulators/contracts --no-audit --no-fund --ignore-scripts
	node streams/simulators/contracts/compile.mjs --check

lock: ## Update the lock files (needs uv).
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-package sixgate-client --no-header --no-annotate pyproject.toml -o requirements/runtime.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-package sixgate-client --no-header --no-annotate --extra dev pyproject.toml -o requirements/dev.txt
	echo 'setuptools>=80' | uv pip compile -q --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate - -o requirements/build.txt

$(VENV)/bin/python:
	@python=$$(infra/find_python.sh) && "$$python" -m venv $(VENV)

# pip checks every hash. Sixgate and its client are editable installs without build isolation.
$(VENV)/%.done: requirements/%.txt requirements/build.txt pyproject.toml client/pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r requirements/$*.txt
	$(BIN)/python -m pip install -q --require-hashes --only-binary :all: -r requirements/build.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e . -e client
	@touch $@
