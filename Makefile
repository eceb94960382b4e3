# Needs make and Python 3.11 or newer; everything else is fetched into .venv.

PYTHON ?= python3
export PYTHON

# A .venv that came along with a copied tree runs the code of the place it came from; and one may lose its Python.
ifneq "$(shell test -x .venv/bin/python && cat .venv/.ready 2>/dev/null)" "$(CURDIR)"
.PHONY: .venv/.ready
endif

.PHONY: help setup demo serve test bench check client docs format openapi lock clean

help: ## List the targets (the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

setup: .venv/.ready ## Make .venv with all that development needs (PYTHON=python3.13 to choose one)
	@:

.venv/.ready: requirements/development.txt requirements/uv.txt pyproject.toml scripts/setup
	@sh scripts/setup

demo: setup ## Show what Cairn does, from a run to a rerun
	@.venv/bin/cairn demo

serve: setup ## Serve the workflows in workflows/
	@.venv/bin/cairn serve

test: check client ## Check, then run every test (ARGS="-k rerun" for some)
	@echo "test: pytest"
	@.venv/bin/pytest -n 2 --dist loadfile $(ARGS)

bench: setup ## Measure beside the floor and others (ARGS="durable --quick" for a look at some)
	@.venv/bin/python -m tests.benchmarks $(ARGS)

check: setup ## Lint, formatting, types and architecture
	@echo "check: ruff"
	@.venv/bin/ruff check --quiet
	@.venv/bin/ruff format --check --quiet
	@echo "check: mypy"
	@.venv/bin/mypy --no-error-summary
	@echo "check: import-linter"
	@report=$$(.venv/bin/lint-imports --no-logo) || { echo "$$report"; exit 1; }

client: ## Lint the OpenAPI schema, and compile a client made from it (skipped where npm is missing)
	@sh openapi/check/run

docs: setup ## Build the pages of docs/ into build/docs
	@report=$$(NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict 2>&1) || { echo "$$report"; exit 1; }
	@echo "docs: build/docs/index.html"

format: setup ## Format the code and mend what ruff can
	@.venv/bin/ruff check --quiet --fix-only
	@.venv/bin/ruff format --quiet

openapi: setup ## Write openapi/openapi.json
	@.venv/bin/cairn openapi > openapi/openapi.json

# Production is pinned to what development was tested with.
COMPILE = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate $(if $(UPGRADE),--upgrade)

lock: setup ## Pin what pyproject.toml asks for in requirements/ (UPGRADE=1 for the newest)
	@echo "lock: requirements/"
	@$(COMPILE) --group installer --output-file requirements/uv.txt
	@$(COMPILE) pyproject.toml --all-extras --group dev --output-file requirements/development.txt
	@$(COMPILE) pyproject.toml --extra openai --extra postgresql --constraint requirements/development.txt \
		--output-file requirements/production.txt

clean: ## Remove .venv, caches and builds
	@rm -rf .venv .bench .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .schemathesis build dist
	@rm -rf openapi/check/made openapi/check/node_modules
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
