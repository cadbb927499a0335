# Waspada. `make demo` shows it, `make test` proves it; each first sets up what it needs.
#   make setup            .venv from the lock file, nothing else
#   make demo ARGS=...    waspada demo ...
#   make demo-flash       a station from enrolment to its first reading, on the real tools without a board; ARGS=--json
#   make test             everything but what is marked "once" (installs mosquitto and chromium where it may)
#   make lint             style, types and house rules only
#   make drawings         docs/sheets and the wiring of every station drawn; WireViz (GPL) as a program in .cache, graphviz from the system
#   make chaos SEEDS=20   the chaos scenario with seeds 1..20
#   make lock             choose the newest versions again and write both lock files
#   make clean            remove what these made

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo demo-flash test lint drawings chaos lock clean system

SEEDS ?= 10
JOBS ?= 2
ARGS ?=
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
RUNTIME := $(VENV)/.runtime-installed
TESTING := $(VENV)/.test-installed

# The first Python that is new enough and can make a virtual environment.
FIND_PYTHON = for p in python3.13 python3.12 python3.11 python3; do \
    $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done

help:
	@sed -n 's/^\#   //p' Makefile

setup: $(RUNTIME)

$(BIN)/python:
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
	  echo "Waspada needs Python 3.11 or newer with its venv module (on Debian: apt-get install python3 python3-venv)." >&2; exit 2; fi; \
	echo "making $(VENV) with $$python" >&2; $$python -m venv $(VENV)

$(RUNTIME): requirements.lock pyproject.toml hatch_build.py $(wildcard gateway/web/package-lock.json) | $(BIN)/python
	@echo "installing what requirements.lock names" >&2
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-build-isolation --no-deps -e .
	@touch $@

$(TESTING): requirements-test.lock $(RUNTIME)
	@echo "installing what requirements-test.lock names" >&2
	@$(PIP) install --require-hashes -r requirements-test.lock
	@touch $@

demo: setup
	@$(BIN)/waspada demo $(ARGS)

# It needs what the tests need but the browser: esptool, the real MicroPython VM, a bootloader without a chip, mosquitto.
demo-flash:
	@$(MAKE) --no-print-directory system SYSTEM=mosquitto FOR=demo-flash
	@$(MAKE) --no-print-directory $(TESTING)
	@$(BIN)/python -m waspada.demo_flash $(ARGS)

# The real parts that tests run against and pip cannot bring; all of them, or those that SYSTEM names.
SYSTEM ?= mosquitto mosquitto_sub chromium dot
FOR ?= test
system:
	@export PATH="$$PATH:/usr/sbin"; need=""; \
	for program in $(SYSTEM); do \
	  command -v $$program >/dev/null || need="$$need $$(echo $$program | sed 's/mosquitto_sub/mosquitto-clients/; s/^dot$$/graphviz/')"; done; \
	[ -x $(BIN)/python ] || [ -n "$$($(FIND_PYTHON))" ] || need="$$need python3 python3-venv"; \
	[ -z "$$need" ] && exit 0; \
	if command -v apt-get >/dev/null; then \
	  if [ "$$(id -u)" = 0 ]; then may="env"; elif sudo -n true 2>/dev/null; then may="sudo"; else may=""; fi; \
	  if [ -n "$$may" ]; then \
	    echo "installing:$$need" >&2; \
	    $$may apt-get update -qq </dev/null && \
	    $$may env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$need </dev/null >&2 && exit 0; \
	  fi; fi; \
	echo "make $(FOR) needs$$need: install them with the system's package manager (on Debian: apt-get install$$need), then run it again." >&2; \
	exit 2

lint: $(TESTING)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/typing/check_firmware.py

# WireViz is GPL: a program in a folder of its own, never imported and in no lock file.
WIREVIZ := .cache/wireviz/bin/wireviz
$(WIREVIZ): | $(BIN)/python
	@echo "installing WireViz into .cache/wireviz" >&2
	@$(BIN)/python -m venv .cache/wireviz
	@.cache/wireviz/bin/python -m pip --disable-pip-version-check --quiet --no-input install 'wireviz==0.4.1'

test: system $(WIREVIZ)
	@$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

drawings: setup $(WIREVIZ)
	@$(MAKE) --no-print-directory system SYSTEM=dot FOR=drawings
	@$(BIN)/waspada station sheet --out docs/sheets
	@mkdir -p build/drawings docs/sheets/wiring
	@for file in hardware/stations/*.toml; do name=$$(basename $$file .toml); \
	  $(BIN)/waspada hardware wiring $$name --out build/drawings && cp build/drawings/$$name.svg docs/sheets/wiring/ || exit; done

chaos: setup
	@$(BIN)/waspada simulate chaos --seeds 1-$(SEEDS) --jobs $(JOBS) $(ARGS)

# Only the public index decides, never this machine's pip settings; no address is written into the lock files.
LOCK = env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null CUSTOM_COMPILE_COMMAND="make lock" \
  $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --strip-extras --allow-unsafe \
  --build-deps-for editable --build-deps-for wheel --upgrade

lock: $(TESTING)
	$(LOCK) --extra flash --extra test -o requirements-test.lock pyproject.toml
	$(LOCK) -c requirements-test.lock -o requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) typings build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf gateway/web/node_modules gateway/web/static/vendor tests/vm32/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
