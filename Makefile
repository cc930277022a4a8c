# Each target sets up .venv by itself; nothing but Python 3.11, make and git is needed.
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
STUDY := $(shell sed -n 's/^study: *\([A-Za-z0-9_]*\).*/\1/p' config/config.yaml)

.PHONY: figures claims all test test-slurm fuzz faults soak report docs check
figures: .venv/ready
	$(SNAKEMAKE) all_figures

claims: .venv/ready
	$(SNAKEMAKE) claims

# Figures, companions beyond the paper, tables, claims.
all: .venv/ready
	$(SNAKEMAKE) all

test: .venv/ready-dev
	$(BIN)/pytest -n 2

# A cluster of Slurm's real programs on this machine (Debian: slurm-wlm, munge), with faults.
test-slurm: .venv/ready-dev
	$(BIN)/pytest -m slurm

# Twenty thousand damaged configs: a plan, or one message that names the key.
fuzz: .venv/ready-dev
	UNCANNY_FUZZ=20000 $(BIN)/pytest -n 2 --dist load tests/test_config_fuzz.py

# Studies that are killed, 50 times at random and 16 times while files are written, and come out as others do.
faults: .venv/ready-dev
	PYTHONPATH=tests $(BIN)/python -m faults.campaign --targeted

# Five thousand cells whose jobs do nothing: what the workflow itself costs, and that nothing runs twice.
soak: .venv/ready-dev
	PYTHONPATH=tests $(BIN)/python -m faults.soak

report: all
	$(SNAKEMAKE) all --report results/$(STUDY)/report.html

# The pictures and the scorecard of the README: those of the study as it is now.
docs: all
	mkdir -p docs/figures docs/tables
	cp results/$(STUDY)/figures/*.png docs/figures/
	cp results/$(STUDY)/tables/*.md docs/tables/
	sed '/^## What the verdicts/,$$d; /^## /d; s/^\(\(|[^|]*\)\{4\}|\).*/\1/' docs/tables/claims.md > docs/tables/scorecard.md
	sed -i -e '/^<!-- scorecard/,/^<!-- end/{//!d}' -e '/^<!-- scorecard/r docs/tables/scorecard.md' README.md
	rm docs/tables/scorecard.md

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

.venv/ready: envs/requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	touch $@

.venv/ready-dev: envs/requirements-dev.txt .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements-dev.txt
	touch $@
