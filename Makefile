# Each target sets up .venv by itself; nothing but Python 3.11, make and git is needed.
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
STUDY := $(shell sed -n 's/^study: *\([A-Za-z0-9_]*\).*/\1/p' config/config.yaml)

.PHONY: figures claims all test test-slurm fuzz bench report docs check
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

# Ours beside what people use instead, at two scales: results/benchmarks, or BENCH=folder.
BENCH ?= results/benchmarks
bench: .venv/ready-bench
	for scale in digits cifar; do for what in training_step sampling_images; do \
	  PYTHONPATH=scripts $(BIN)/python tests/benchmarks/$$what.py --scale $$scale --folder $(BENCH) || exit 1; \
	done; done
	PYTHONPATH=scripts $(BIN)/python tests/benchmarks/sampling_images.py --batch 1 --rounds 25 --folder $(BENCH)
	PYTHONPATH=scripts $(BIN)/python tests/benchmarks/scoring_folder.py --batch 256 --rounds 3 --folder $(BENCH)

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

.venv/ready-bench: envs/requirements-bench.txt .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements-bench.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps k-diffusion==0.1.1.post1
	touch $@

.venv/ready-dev: envs/requirements-dev.txt .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements-dev.txt
	touch $@
