# papertune on a machine that has Python >= 3.11 (with venv and pip), git and make:
#   make run     set up .venv, then the whole job on the sample papers (in a terminal the app leads)
#   make test    set up, then lint, types, layers and all tests
#   make soak    the long runs: many kills, fuzzing
#   make bench   every benchmark, one after the other

PYTHON ?= python3
# Tests run side by side, a file's tests in one process: they wait for others more than they compute.
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
# What is installed is decided by these files; the stamps are renewed when one of them changes.
INPUTS := pyproject.toml constraints.txt Makefile

.PHONY: run test lint types layers soak bench snapshots clean

run: $(VENV)/run.stamp
	@$(BIN)/papertune quickstart $(ARGS)

test: lint types layers
	$(BIN)/python -m pytest -m "not soak" -n $(WORKERS) --dist loadfile

lint: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/dev.stamp
	$(BIN)/mypy

layers: $(VENV)/dev.stamp
	$(BIN)/lint-imports

soak: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m soak --timeout 7200

snapshots: $(VENV)/dev.stamp
	$(BIN)/python -m pytest tests/screens --snapshot-update

bench: $(VENV)/dev.stamp
	@for script in bench/*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "papertune needs Python 3.11 or newer; name one with: make run PYTHON=python3.11" >&2; exit 3; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "This Python has no venv module. On Debian and Ubuntu: apt install python3-venv" >&2; exit 3; }

$(VENV)/run.stamp: $(VENV)/bin/pip $(INPUTS)
	@echo "Installing papertune and its trainer into $(VENV) (once; about 1.2 GB)" >&2
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]' || { \
	  echo "The packages could not be installed. Is there a network and 2 GB of free disk?" \
	    "Run the same command again: it carries on." >&2; exit 3; }
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
