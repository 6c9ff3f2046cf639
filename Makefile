# One command each; every one of them makes what it needs. PYTHON may name another interpreter (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN_LOCK := requirements/run.txt
DEV_LOCK := requirements/dev.txt
KERNEL := setup.py src/placet/screening/kernel.pyx

.PHONY: help run dev test check bench lock clean

help: ## What can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Placet needs Python 3.11 or newer: make run PYTHON=python3.11"; exit 2; }
	@echo "Making the environment in $(VENV) …"
	@$(PYTHON) -m venv $(VENV) || { echo "This Python has no venv module: install it (Debian: apt-get install python3-venv)."; exit 2; }

$(VENV)/run.ok: $(RUN_LOCK) $(KERNEL) | $(BIN)/python
	@echo "Installing the locked packages …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(RUN_LOCK)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-index --no-build-isolation --editable .
	@$(BIN)/python -c 'from placet.screening.loops import kernel; kernel or print("No C++ compiler was found: screening works, several times slower (docs/operations.md).")'
	@touch $@

$(VENV)/dev.ok: $(DEV_LOCK) $(VENV)/run.ok
	@echo "Installing the locked development packages …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(DEV_LOCK)
	@touch $@

run: $(VENV)/run.ok ## The demo platform, in your browser
	@$(BIN)/python -m placet demo

dev: $(VENV)/dev.ok ## The demo platform, started again whenever a source file changes
	@$(BIN)/python -m placet.dev

test: $(VENV)/dev.ok ## Every test, with SQLite, PostgreSQL and Chromium where they are
	@$(BIN)/python -m pytest -n auto --dist loadgroup

check: $(VENV)/dev.ok ## Lint and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/dev.ok ## Every benchmark, as ratios against a floor of the same run
	@$(BIN)/python -m bench

lock: $(VENV)/dev.ok ## Lock the packages again
	@$(BIN)/python -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --extra build -o $(RUN_LOCK) pyproject.toml
	@$(BIN)/python -m piptools compile --quiet --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-header --extra dev -c $(RUN_LOCK) -o $(DEV_LOCK) pyproject.toml

clean: ## Remove what was made, but not your data
	@rm -rf build src/placet/screening/kernel.*.so $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
