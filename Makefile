# Each target installs .venv if needed. Required: Python 3.11 to 3.13, make and git. Another study: CONFIG=config/psld.yaml
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
CONFIG ?= config/config.yaml
WITH := $(if $(filter-out config/config.yaml,$(CONFIG)),--configfile $(CONFIG))
STUDY := $(shell sed -n "s/^study: *[\"']*\([A-Za-z0-9_]*\).*/\1/p" $(CONFIG))

# Snakemake and matplotlib keep caches in the home folder. If it is read-only, keep them here.
HOME_CACHE = "$${XDG_CACHE_HOME:-$$HOME/.cache}/snakemake"
ifeq ($(shell mkdir -p $(HOME_CACHE) 2> /dev/null && test -w $(HOME_CACHE) && echo writable),)
export XDG_CACHE_HOME := $(CURDIR)/.snakemake/cache
endif

.PHONY: figures claims all test test-slurm fuzz faults soak soak-slurm bench gpu-pack gpu-check error-rates keep evidence second-extractor report docs docs-check rulegraph check environments
figures: .venv/ready
	$(SNAKEMAKE) all_figures $(WITH)

# One figure or table, and only what it needs: make figure_5
figure_% table_%: .venv/ready
	$(SNAKEMAKE) $@ $(WITH)

claims: .venv/ready
	$(SNAKEMAKE) claims $(WITH)

# Figures of the paper and supplementary ones, tables, claims.
all: .venv/ready
	$(SNAKEMAKE) all $(WITH)

test: .venv/ready-dev
	$(BIN)/pytest -n 2

# Tests with faults on a cluster of Slurm's real programs on this machine (Debian: slurm-wlm, munge).
test-slurm: .venv/ready-dev
	$(BIN)/pytest -m slurm

# Twenty thousand damaged configs: each gives a plan, or one message that names the key.
fuzz: .venv/ready-dev
	UNCANNY_FUZZ=20000 $(BIN)/pytest -n 2 --dist load tests/test_config_fuzz.py

# Kill studies 50 times at random and 16 times while files are written, and compare them with an undisturbed one.
faults: .venv/ready-dev
	PYTHONPATH=tests $(BIN)/python -m faults.campaign --targeted

# Five thousand cells whose jobs do nothing: measures the cost of the workflow itself, checks that nothing runs twice.
soak: .venv/ready-dev
	PYTHONPATH=tests $(BIN)/python -m faults.soak

# The same with three hundred cells on a Slurm cluster on this machine, as for test-slurm.
soak-slurm: .venv/ready-dev
	PYTHONPATH=tests $(BIN)/python -m faults.soak --slurm --cells 300 --folder results/soak-slurm

# Compare with widely used libraries at two scales; writes to results/benchmarks, or BENCH=folder.
BENCH ?= results/benchmarks
MEASURE := PYTHONPATH=scripts $(BIN)/python tests/benchmarks
SIZES := "digits --threads 1 --rounds 25" "cifar --threads 2 --rounds 9"
bench: .venv/ready-bench
	for size in $(SIZES); do \
	  $(MEASURE)/training_step.py --scale $$size --folder $(BENCH) && \
	  $(MEASURE)/sampling_images.py --scale $$size --batch 1 --folder $(BENCH) && \
	  $(MEASURE)/changes.py --scale $$size --rounds 5 --folder $(BENCH) || exit 1; \
	done
	$(MEASURE)/scoring_folder.py --batch 2000 --threads 2 --rounds 3 --folder $(BENCH)

# Pack wheels, and images from IMAGES=file.zip, into .kit/ for a machine with a GPU and no network.
gpu-pack:
	PYTHONPATH=tests $(PYTHON) tests/gpu/pack.py $(IMAGES)

# On that machine, with PyTorch for Python 3.12: compare all paths with the processor, time them, run a study. Results in
# OUT (results/gpu).
SECONDS ?= 540
gpu-check:
	$(PYTHON) tests/gpu/run.py $(SECONDS)

# How often verdicts are wrong: 400 trials for each luck of training and effect; twelve minutes on two cores.
error-rates: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python scripts/error_rates.py

# Keep what the claims of a study were decided from, and its variances between trainings, in this repository.
keep: .venv/ready
	$(SNAKEMAKE) claims $(WITH)
	$(BIN)/python scripts/keep_evidence.py $(CONFIG)

# From kept records, without training: scorecards, forest plots, coverage of intervals, verdicts at other margins; error rates.
KEPT := results/evidence
evidence: .venv/ready
	@ls results/measured/evidence/*.tar.xz > /dev/null 2>&1 || \
	  { echo 'make: no archive in results/measured/evidence; expected one of `make keep`' >&2; exit 1; }
	@mkdir -p $(KEPT); configs=; for config in config/*.yaml; do \
	  study=$$(sed -n "s/^study: *[\"']*\([A-Za-z0-9_]*\).*/\1/p" $$config); archive=measured/evidence/$$study.tar.xz; \
	  test -f results/$$archive || continue; configs="$$configs $$config"; \
	  (cd $(KEPT) && ../../$(BIN)/python ../../scripts/adopt_archive.py ../$$archive ../../$$config) && \
	  $(SNAKEMAKE) claims figure_claims --directory $(KEPT) --configfile $$config || exit 1; \
	done; $(BIN)/python scripts/analyse_evidence.py $(KEPT) $$configs
	$(MAKE) error-rates

# Ranks of models when the extractor is trained with another seed, from the samples of a finished run of FIGURES.
EXTRACTOR ?= digits_cnn
FIGURES ?= figure_2 figure_5
SECOND = $(STUDY)_second_extractor
second-extractor: .venv/ready
	$(SNAKEMAKE) $(FIGURES) $(WITH)
	test -d results/$(SECOND) || { mkdir results/$(SECOND) && cp -al results/$(STUDY)/datasets results/$(STUDY)/checkpoints results/$(STUDY)/samples results/$(SECOND)/; }
	$(SNAKEMAKE) $(FIGURES) $(WITH) --config study=$(SECOND) 'extractors={$(EXTRACTOR): {seed: 1}}'
	$(BIN)/python scripts/compare_extractors.py results/$(STUDY) results/$(SECOND)

report: .venv/ready
	$(SNAKEMAKE) gallery training $(WITH)
	$(SNAKEMAKE) gallery training --report results/$(STUDY)/report.html \
	  --report-metadata results/$(STUDY)/report.yaml $(WITH)

# Copy a study's pictures, tables and page to docs/.
docs: .venv/ready
	$(SNAKEMAKE) all gallery $(WITH)
	mkdir -p docs/$(STUDY)/figures docs/$(STUDY)/tables
	cp results/$(STUDY)/README.md docs/$(STUDY)/
	cp results/$(STUDY)/figures/*.png docs/$(STUDY)/figures/
	cp $$(ls results/$(STUDY)/tables/*.md | grep -v estimate.md) docs/$(STUDY)/tables/
	$(SNAKEMAKE) record_docs $(WITH)

# Which pages and pictures in docs/ are older than code and config; runs no study. Exit status 1 if there are any.
docs-check: .venv/ready
	@status=0; for config in config/*.yaml; do \
	  study=$$(sed -n "s/^study: *[\"']*\([A-Za-z0-9_]*\).*/\1/p" $$config); \
	  test ! -d docs/$$study || $(SNAKEMAKE) check_docs --quiet all --configfile $$config || status=1; \
	done; exit $$status

# The graph of rules, as a diagram that GitHub renders.
rulegraph: .venv/ready
	{ printf '# Rules\n\nA line leads from a rule to one that reads its files. `make rulegraph` writes this page.\n\n```mermaid\n'; \
	  $(SNAKEMAKE) --rulegraph mermaid-js -- all; echo '```'; } > docs/rules.md

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# Copy the versions of envs/requirements.txt into the conda file.
environments:
	{ sed '/- pip:/q' envs/uncanny.yaml; sed -n 's/^[A-Za-z].*==.*/      - &/p' envs/requirements.txt; } > envs/new
	mv envs/new envs/uncanny.yaml

# Install .venv again if it does not run: half installed, moved, or its Python removed.
ifeq ($(shell $(BIN)/pip --version 2> /dev/null),)
.PHONY: .venv/ready
endif

VERSION := import sys; print("%d.%d" % sys.version_info[:2])
SAY = { echo 'make: $(1)' >&2; exit 1; }
.venv/ready: envs/requirements.txt
	@test -d slurm || $(call SAY,slurm is a file; expected a link to profiles/slurm (ln -sf profiles/slurm slurm))
	@if ! test -e $@ || ! $(BIN)/pip --version > /dev/null 2>&1; then \
	  found=$$($(PYTHON) -c '$(VERSION)' 2> /dev/null); \
	  case $$found in 3.11|3.12|3.13) ;; \
	    *) $(call SAY,$(PYTHON) is '$${found:+Python }$${found:-not there}'; expected Python 3.11 to 3.13 (PYTHON=python3.11)) ;; \
	  esac; \
	  $(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
	    $(call SAY,$(PYTHON) has no venv; expected its package (Debian: python'$$found'-venv)); \
	  rm -rf .venv && $(PYTHON) -m venv .venv; \
	fi
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements.txt
	touch $@

.venv/ready-bench: envs/requirements-bench.txt .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements-bench.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps k-diffusion==0.1.1.post1
	touch $@

.venv/ready-dev: envs/requirements-dev.txt .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements-dev.txt
	touch $@
