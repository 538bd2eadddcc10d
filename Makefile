# `make` alone lists what there is. Everything lives in .venv; nothing is installed outside this folder.

# The Python that makes the virtual environment, e.g. `make setup PYTHON=python3.12`.
PYTHON ?= python3
# Options passed on, e.g. `make demo DEMO_ARGS=--once` or `make check PYTEST_ARGS="-n 2 -m 'not slow'"`.
DEMO_ARGS ?=
UP_ARGS ?=
PYTEST_ARGS ?=
BENCH_ARGS ?=
KILLS ?= 100
# Of `make kafka`: where the broker keeps its data, and its port on 127.0.0.1.
KAFKA_DIR ?= .kafka
KAFKA_PORT ?= 9092

VENV := .venv
PY := $(VENV)/bin/python
# Two sets of pins: what runs, and what also tests. The second contains the first, in the same versions.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev

# uv is much faster; pip is what everybody has, and what reads the user's own pip configuration.
define INSTALL
@echo "Installing $< into $(VENV) ..."
@$(PY) -m uv pip install --quiet --python $(PY) --require-hashes --requirements $< 2>/dev/null \
	|| $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
@$(PY) -m uv pip install --quiet --python $(PY) --no-deps --editable . 2>/dev/null \
	|| $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
@touch $@
endef

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo up check test lint fmt bench kill kill-kafka kafka lock clean

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' \
		| while IFS="$$(printf '\t')" read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

setup: $(DEV_STAMP) ## make .venv with all that work on Tapefold needs

demo: $(RUN_STAMP) ## trade real candles in a simulation; DEMO_ARGS=--once ends by itself, --fresh begins anew
	@$(VENV)/bin/tapefold demo $(DEMO_ARGS)

up: $(RUN_STAMP) ## run the daemon: trader, projector and API in one process
	@$(VENV)/bin/tapefold up $(UP_ARGS)

check: lint test ## all that CI runs: ruff, mypy, import-linter, pytest

lint: $(DEV_STAMP) ## ruff, mypy --strict and the import contracts
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo

test: $(DEV_STAMP) ## pytest; PYTEST_ARGS is passed on
	$(PY) -m pytest $(PYTEST_ARGS)

fmt: $(DEV_STAMP) ## format, and mend what ruff can mend
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix-only .

bench: $(DEV_STAMP) ## run every benchmark and print a table; BENCH_ARGS is passed on
	$(PY) -m tests.benchmarks $(BENCH_ARGS)

kill: $(DEV_STAMP) ## the kill suite in its long form; KILLS=100
	$(PY) -m tests.kill --kills $(KILLS)

kill-kafka: KILLS = 500
kill-kafka: $(DEV_STAMP) ## the kill suite on Kafka in its long form, needs Java and Maven; KILLS=500
	$(PY) -m tests.kill.kafka --kills $(KILLS)

# exec: what asks make to end asks the broker to end.
kafka: $(DEV_STAMP) ## a Kafka broker in the foreground, needs Java and Maven; KAFKA_DIR=.kafka KAFKA_PORT=9092
	@exec $(PY) -m tests.support.kafka --dir "$(KAFKA_DIR)" --port "$(KAFKA_PORT)"

# No header, annotation or index line: a lock names packages, versions and hashes, never a host.
lock: $(DEV_STAMP) ## pin the dependencies of pyproject.toml anew, within what the locks allow
	$(PY) -m uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		pyproject.toml --output-file requirements.lock
	$(PY) -m uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate \
		--extra dev --constraints requirements.lock pyproject.toml --output-file requirements-dev.lock

clean: ## remove .venv, caches and what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find daemon streams projections api ops tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Tapefold needs Python 3.11 or newer, and '$(PYTHON)' is not: name one, e.g. make setup PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
		echo "'$(PYTHON)' has no venv: install it (Debian, Ubuntu: apt-get install python3-venv) or name another PYTHON" >&2; \
		exit 1; }
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); exit 1; }
	@$(PY) -m pip install --quiet --disable-pip-version-check 'uv<1' || echo "No uv to be had: pip does the work" >&2

$(RUN_STAMP): requirements.lock pyproject.toml | $(PY)
	$(INSTALL)

$(DEV_STAMP): requirements-dev.lock pyproject.toml | $(PY)
	$(INSTALL)
