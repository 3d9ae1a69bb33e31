# Every target makes its own virtual environment when it is missing.
PYTHON ?= python3
VENV := .venv
JOBS ?= 2
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install bench readme test test-all lint docs nano clean help

help:  ## Show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP)  ## Make .venv with everything in it

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

bench: $(STAMP)  ## Run every optimiser on a landscape of each pair and method; the report is results/index.html
	$(BIN)/hpo-bench run

readme: bench  ## Put the results into README.md and docs
	$(BIN)/python -m hpo_bench.experiments.readme

test: $(STAMP)  ## Run the tests, lint and type checks, on JOBS cores
	$(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=loadscope --no-loadscope-reorder

test-all: $(STAMP)  ## Run what `make test` skips, in environments of its own in .environments; PARTS=peers for one
	$(BIN)/python tests/extras.py --jobs $(JOBS) $(PARTS)

lint: $(STAMP)  ## Lint, format, types and floors, without the tests
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

docs: $(VENV)/.docs  ## Build the documentation; it opens with site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(VENV)/.docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	@touch $@

nano: $(STAMP)  ## Train every nano pair from nothing (resumable; needs npm)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[nano]'
	$(BIN)/hpo-bench nano build --all

clean:  ## Remove the environments, the results and the built documentation
	rm -rf $(VENV) .environments results site
