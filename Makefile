# `make` lists the commands. Nothing is needed but Python 3.11 or newer, make and git.
PYTHON ?= python3
CORES ?= all
CONFIG ?= config.yaml
FOLDER ?= $(dir $(CONFIG))
PIP_OPTIONS ?=

BIN := .venv/bin
READY := .venv/ready
RUN = $(BIN)/snakemake --snakefile Snakefile --configfile $(CONFIG) --directory $(FOLDER) --cores $(CORES)

.DEFAULT_GOAL := help
.PHONY: help results plan rehearsal codebook test check lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

results: $(READY) ## Run everything that is out of date: tables, figures, report, graphs (CONFIG=, FOLDER=, CORES=)
	@$(RUN)

plan: $(READY) ## Say what would run and why, and do nothing
	@$(RUN) --dry-run

rehearsal: $(READY) ## Rehearse the whole inference on data drawn from the study's own: bias, coverage, verdict
	@$(RUN) rehearsal

codebook: $(READY) ## Draft a codebook from the metadata of raw files (EXTRACT="a.sav b.dta")
	@$(BIN)/python scripts/draft_codebook.py $(EXTRACT)

test: $(READY) ## Check the code and run all tests
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/snakefmt --check Snakefile rules
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

lock: $(READY) ## Renew requirements.lock after a change of requirements.in
	@$(PYTHON) -m venv .venv/lock && .venv/lock/bin/pip install --quiet $(PIP_OPTIONS) pip-tools
	@.venv/lock/bin/pip-compile --quiet --generate-hashes --strip-extras --no-header --no-emit-index-url \
		--no-emit-trusted-host --no-emit-find-links --output-file requirements.lock requirements.in

clean: ## Remove the environment and caches; results stay
	@rm -rf .venv .pytest_cache .ruff_cache .hypothesis

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it with PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Building the environment in .venv (once) ..." >&2
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes $(PIP_OPTIONS) -r requirements.lock
	@touch $@
