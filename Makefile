# Needs python3 (3.11 to 3.13) and make, nothing else. Every target makes its own .venv from pyproject.toml and constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The peers of the bench want other versions of what we use: an environment of their own.
BENCH_VENV := .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.installed
# One more than cores: tests wait for processes and pauses as much as they compute.
WORKERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo up test lint docs bench lock clean

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "Python 3.11, 3.12 or 3.13 is needed; name one with: make PYTHON=python3.12 ..."; rm -rf $(VENV); exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP) ## Run the whole loop on two simulated servers and stay up with the UI (ONCE=1: end by itself)
	$(BIN)/jdebill demo $(if $(ONCE),--once) $(if $(JSON),--json)

up: $(STAMP) ## Start the product: database, Dagster UI and daemon, webhook receiver
	$(BIN)/jdebill up

test: $(STAMP) ## Run the tests on a PostgreSQL and simulated servers of their own
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder $(ARGS)

lint: $(STAMP) ## Check style, types and the import arrows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -p no:cacheprovider jdebill_pipelines_tests/test_import_arrows.py

docs: $(STAMP) ## Write the pages of docs/ that are made of the code
	$(BIN)/python -m jdebill_pipelines_tests.docs.pages

$(BENCH_STAMP): pyproject.toml
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["bench"]))' > $(BENCH_VENV)/peers.txt
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $(BENCH_VENV)/peers.txt
	@touch $@

bench: $(STAMP) $(BENCH_STAMP) ## Measure against dlt and airbyte-cdk on the same simulated servers
	$(BIN)/python -m jdebill_pipelines_tests.bench $(ARGS)

lock: ## Write constraints.txt anew from the ranges in pyproject.toml
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install --quiet -e '.[dev]'
	{ echo "# Versions a fresh install uses (make passes this file to pip). Made by 'make lock'; the ranges are in pyproject.toml."; \
	  $(VENV)-lock/bin/python -m pip freeze --exclude-editable; } > constraints.txt
	rm -rf $(VENV)-lock

clean: ## Remove the environment and everything that was made
	rm -rf $(VENV) $(BENCH_VENV) .jdebill .pytest_cache .ruff_cache .mypy_cache build *.egg-info
