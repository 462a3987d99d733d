# The two commands: make figures, make test. Each creates .venv on first use.
# make figures CONFIG=my.yaml lays your own configuration over the default one. Options of pip are
# variables, too: PIP_EXTRA_INDEX_URL=URL adds an index of packages, for example of CPU builds.
CORES ?= all
CONFIG ?=
CASES ?= 20000
RUNS ?= 200
SEED ?= 0
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
STUDY := .venv/study-installed
TOOLS := .venv/tools-installed
CLUSTER := .venv/cluster-installed
FOREIGN := .venv/foreign-installed

.PHONY: figures report verify test test-slow test-foreign test-slurm fuzz torture smoke bench unlock lint format

figures: $(STUDY)
	@$(BIN)/python -m solverproof check config/config.yaml $(CONFIG)
	$(SNAKEMAKE) --configfile config/config.yaml $(CONFIG)

# the same study as one page, results/report.html
report: $(STUDY)
	@$(BIN)/python -m solverproof check config/config.yaml $(CONFIG)
	$(SNAKEMAKE) report --configfile config/config.yaml $(CONFIG)

smoke: $(STUDY)
	$(SNAKEMAKE) --configfile config/smoke.yaml

bench: $(STUDY)
	$(BIN)/python -m solverproof bench

# holds the results of studies that ran against the published ones
verify: $(STUDY)
	$(BIN)/python -m solverproof verify results docs/results

# after a run was killed, Snakemake asks for this
unlock: $(STUDY)
	$(BIN)/snakemake --unlock

test: $(TOOLS) lint
	$(BIN)/python -m pytest --numprocesses 2

# audits of models of other libraries, which the other tests skip
test-foreign: $(FOREIGN)
	$(BIN)/python -m pytest tests/unit/auditing/foreign

# what takes longest: audits of hard problems, the other recipes
test-slow: $(TOOLS)
	$(BIN)/python -m pytest --numprocesses 2 -m slow

# bad input of all kinds, drawn at random
fuzz: $(TOOLS)
	$(BIN)/python -m tests.fuzz --cases $(CASES) --seed $(SEED) --found tests/fuzz/corpus.jsonl

# random faults in a tiny study: killed, full, altered
torture: $(TOOLS)
	$(BIN)/python -m tests.torture --runs $(RUNS) --seed $(SEED) --page docs/faults.md

# private Slurms on this machine, one per process; needs its daemons and munge
test-slurm: $(CLUSTER) $(TOOLS)
	$(BIN)/python -m pytest tests/slurm --numprocesses 2 --dist loadfile

lint: $(TOOLS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

format: $(TOOLS)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/snakefmt Snakefile workflow

$(STUDY): envs/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) -r $<
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(CLUSTER): envs/requirements-cluster.txt $(STUDY)
	$(PIP) -r $<
	touch $@

$(FOREIGN): envs/requirements-foreign.txt $(TOOLS)
	$(PIP) --no-deps -r $<
	touch $@

$(TOOLS): envs/requirements-dev.txt $(STUDY)
	$(PIP) -r $<
	touch $@
