# `make run` and `make test` set up all they need: Python 3.11 and make are assumed, nothing else.
PYTHON ?= python3.11
PYTHON := $(shell command -v $(PYTHON) >/dev/null 2>&1 && echo $(PYTHON) || echo python3)
VENV   := .venv
BIN    := $(VENV)/bin
# A council network often has its own certificate authority: trust what the system trusts.
UV     := $(BIN)/uv --system-certs
export PATH := $(CURDIR)/$(BIN):$(PATH)
export LINKAGE_HOME ?= $(CURDIR)/.sandbox
# Compiled once, not in every process: without its bytecode each command takes three times as long to start.
unexport PYTHONDONTWRITEBYTECODE
# By two processes, file by file, in their order: by number of tests, the long plays of few tests would come last and alone.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder
RUN_FLAGS := $(if $(ONCE),--once,)

.PHONY: setup run test slow lint check bench peers lock clean-sandbox fmt

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed; set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { echo "This Python has no venv module; on Debian: apt install python3.11-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	@echo "Installing what requirements.txt and requirements-dev.txt lock ..."
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --require-hashes -r requirements.txt -r requirements-dev.txt
	@VIRTUAL_ENV=$(CURDIR)/$(VENV) $(UV) pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

run: setup
	@$(BIN)/linkage sandbox run $(RUN_FLAGS)

clean-sandbox:
	@if [ -x $(BIN)/linkage ]; then $(BIN)/linkage stack stop; fi
	@# Only a folder that a stack made is removed, whatever LINKAGE_HOME says.
	@if [ -e "$(LINKAGE_HOME)/stack.lock" ]; then rm -rf "$(LINKAGE_HOME)"; fi

lint: setup
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy linkage

check: lint
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not servers and not airflow and not system and not gx and not large and not slow"

# Side by side what can be; the sandbox as its user runs it comes last and alone.
test: setup lint
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not system and not slow"
	@$(BIN)/python -m pytest -m "system and not slow"

# The long runs: hundreds of random kill points, minutes of fuzzing, second implementations of the servers.
slow: setup peers
	@$(BIN)/python -m pytest -m slow

# The peers that are measured beside this project live in an environment of their own: their pins are not ours.
PEERS := .venv-peers

$(PEERS)/.ready: benchmarks/requirements-peers.txt $(VENV)/.ready
	@$(PYTHON) -m venv $(PEERS)
	@VIRTUAL_ENV=$(CURDIR)/$(PEERS) $(UV) pip install --quiet --require-hashes -r benchmarks/requirements-peers.txt
	@touch $@

peers: $(PEERS)/.ready

bench: setup peers
	@$(BIN)/python -m benchmarks

fmt: setup
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

lock: setup
	@$(UV) pip compile --quiet --generate-hashes --no-header --python-version 3.11 requirements.in -o requirements.txt
	@$(UV) pip compile --quiet --generate-hashes --no-header --python-version 3.11 requirements-dev.in -o requirements-dev.txt
	@echo 'uv==0.13.8' | $(UV) pip compile --quiet --generate-hashes --no-header --python-version 3.11 - -o requirements-bootstrap.txt
	@$(UV) pip compile --quiet --generate-hashes --no-header --python-version 3.11 benchmarks/requirements-peers.in -o benchmarks/requirements-peers.txt
