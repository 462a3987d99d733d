# The two commands: make figures, make test. Each creates .venv on first use.
# make figures CONFIG=my.yaml lays your own configuration over the default one. Options of pip are
# variables, too: PIP_EXTRA_INDEX_URL=URL adds an index of packages, for example of CPU builds.
# HASHES=yes installs only what has a hash in envs/ (docs/security.md).
CORES ?= all
CONFIG ?=
HASHES ?=
CASES ?= 20000
RUNS ?= 200
SEED ?= 0
JOBS ?= 1
PUBLISHED := $(notdir $(patsubst %/,%,$(wildcard docs/results/*/)))
KEPT := audits evaluations models tables traces
DRAWN := tables tabulate gather compare figures fan accuracy adaptation animation collapse cost criteria \
	growth regions trajectories
# of the README's figures, for readers of dark pages
DARK := docs/dark/animation.gif docs/dark/figure7_collapse_sphere2.png
ENVIRONMENTS ?= .venv/portability
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
HASHED := $(PIP) --no-deps --require-hashes
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)
STUDY := .venv/study-installed
TOOLS := .venv/tools-installed
CLUSTER := .venv/cluster-installed
FOREIGN := .venv/foreign-installed

# Snakemake, pip and matplotlib keep files there, and some users, as in containers, have none.
ifeq ($(shell test -w "$$HOME" || echo none),none)
export HOME := $(CURDIR)/.venv/home
endif

.PHONY: figures report verify published test test-slow test-foreign test-slurm test-sge fuzz torture portability smoke bench unlock hashes lint format

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

# tables and figures of the published studies, from what docs/results/ holds of each
published: $(PUBLISHED:%=published-%) $(DARK)

published-%: $(STUDY)
	$(SNAKEMAKE) tables figures --forceall --allowed-rules $(DRAWN) --config results=docs/results/$* \
		--configfile config/config.yaml $(filter-out config/default.yaml,config/$*.yaml)

docs/dark/%: docs/results/default/figures/% $(STUDY)
	$(BIN)/python -m solverproof darken $< $@

# keeps of a study that ran what its tables and figures are made of
publish-%:
	mkdir -p docs/results/$*
	cd $(patsubst results/default,results,results/$*) && find $$(ls -d $(KEPT) 2> /dev/null) -name history.csv -prune -o \
		\( -name '*.csv' -o -name run.json -o -path 'traces/*.safetensors' \) -print \
		| tar --create --files-from=- | tar --extract --directory=$(CURDIR)/docs/results/$*

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
	$(BIN)/python -m tests.torture --runs $(RUNS) --seed $(SEED) --jobs $(JOBS) --page docs/faults.md

# the tiny study in strange places; environments of other versions are made in ENVIRONMENTS
portability: $(TOOLS)
	$(BIN)/python -m tests.portability --jobs $(JOBS) --environments $(ENVIRONMENTS) --page docs/portability.md

# private Slurms on this machine, one per process; needs its daemons and munge
test-slurm: $(CLUSTER) $(TOOLS)
	$(BIN)/python -m pytest tests/slurm --numprocesses 2 --dist loadfile

# the same with Grid Engine
test-sge: $(CLUSTER) $(TOOLS)
	$(BIN)/python -m pytest tests/sge --numprocesses 2 --dist loadfile

lint: $(TOOLS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(BIN)/snakemake --lint

# after other versions in envs/requirements.txt; needs uv
hashes:
	echo "# Made by \`make hashes\` from requirements.txt; torch and setuptools are in hashes-first.txt." > envs/hashes.txt
	uv pip compile --quiet --universal --python-version 3.11 --no-deps --generate-hashes --no-header --no-annotate \
		--no-emit-package torch --no-emit-package setuptools envs/requirements.txt >> envs/hashes.txt

format: $(TOOLS)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/snakefmt Snakefile workflow

$(STUDY): envs/requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(if $(HASHES),$(HASHED) --only-binary :all: -r envs/hashes-first.txt,$(PIP) -r $<)
	$(if $(HASHES),$(HASHED) --no-build-isolation -r envs/hashes.txt)
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
