# One line per habit. `make env` builds .venv from the pinned files; every other target calls it, but `make figures`
# is content with .venv-report, which has no torch.
# The newest that runs: a name alone may be a shim that leads nowhere.
PYTHON ?= $(or $(firstword $(foreach name,python3.13 python3.12 python3.11,$(shell $(name) -c "" 2>/dev/null && echo $(name)))),python3.11)
CORES ?= 2
GRID ?= opt125m
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
RESULTS ?= results
OUT ?= redrawn
REPORT_VENV := .venv-report
REPORT_STAMP := $(REPORT_VENV)/.ready

# Where there is no home that can be written, caches go to a folder for temporary files; Snakemake does not start without.
CACHE := $(shell d="$${XDG_CACHE_HOME:-$${HOME:-/dev/null}/.cache}"; mkdir -p "$$d" 2>/dev/null && test -w "$$d" && echo yes)
ifneq ($(CACHE),yes)
export XDG_CACHE_HOME := $(or $(TMPDIR),/tmp)/sparsitysolver-$(shell id -u)
endif

.PHONY: env report-env dev table2 regression test lint schemas report figures arena readme clean

env: $(STAMP)

$(STAMP): envs/core.txt envs/report.txt envs/constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -r envs/core.txt
	$(PIP) install --quiet --no-deps --editable .
	touch $(STAMP)

report-env: $(REPORT_STAMP)

$(REPORT_STAMP): envs/report.txt envs/constraints.txt
	$(PYTHON) -m venv $(REPORT_VENV)
	$(REPORT_VENV)/bin/python -m pip --disable-pip-version-check install --quiet -r envs/report.txt
	touch $(REPORT_STAMP)

dev: env
	@$(BIN)/python -c "import pytest, xdist" 2>/dev/null || $(PIP) install --quiet -r envs/dev.txt

table2: env
	$(BIN)/snakemake --cores $(CORES) results/table2.csv

regression: env
	$(BIN)/snakemake --cores $(CORES) results/regression.csv --config grid=$(GRID)

test: dev
	$(BIN)/python -m pytest -n $(CORES) --dist loadfile

lint: dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check -l 120 Snakefile rules
	$(BIN)/snakemake --lint

# JSON schemas of all records, from the contracts in sparsitysolver/records/contracts.
schemas: env
	$(BIN)/python -m sparsitysolver.records.schemas

report: env
	$(BIN)/snakemake --cores $(CORES) results/report.html

# Tables and figures from RESULTS, a folder or a bundle of `sparsitysolver export`; nothing is measured.
figures: $(if $(wildcard $(STAMP)),,report-env)
	$(if $(wildcard $(STAMP)),$(BIN),$(REPORT_VENV)/bin)/python -m sparsitysolver.cli report redraw "$(RESULTS)" --out "$(OUT)"

arena: env
	$(BIN)/snakemake --cores $(CORES) results/arena.csv figures/arena.png results/transfer.csv results/self_pruner.csv

# Fills what the page generates: Table 2, made first, and the arena's tables where `make arena` was run.
readme: env
	$(BIN)/snakemake --cores $(CORES) results/table2.csv
	$(BIN)/sparsitysolver report readme

clean:
	rm -rf logs .snakemake
	find results -mindepth 1 -maxdepth 1 ! -name accepted ! -name .gitkeep -exec rm -rf {} +
