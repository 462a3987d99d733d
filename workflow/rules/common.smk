import atexit
import gc
import os
import shlex
import sys
from functools import partial
from pathlib import Path

PACKAGE = str(
    Path(str(workflow.current_basedir)).parent
)  # the folder of the package solverproof
sys.path[:0] = [
    PACKAGE,
    os.getcwd(),
]  # the working directory may hold networks of the user's own
from solverproof.datasets.families import module as data_module
from solverproof.study import cells as study
from solverproof.study import resources as needs
from solverproof.study import wildcards
from solverproof.study.config import load
from solverproof.errors import InputError
from solverproof.study.fingerprint import code_hash
from solverproof.study.provenance import upgrades

# Snakemake's graph of jobs lives to the end. Looking through it for garbage, while it grows and once
# more at exit, took a quarter of a dry run's time.
gc.disable()
atexit.register(gc.freeze)

# Jobs find the package and the interpreter that runs this file, activated or not. With conda
# Snakemake takes PYTHONPATH out of the environment of shell jobs, so the prefix sets it.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(PACKAGE)}; ")
os.environ.update(
    PATH=os.pathsep.join(
        [str(Path(sys.executable).parent), os.getenv("PATH", os.defpath)]
    )
)

# Snakemake lists the files of the command line first, though they win over the workflow's own.
OVERLAYS = workflow.overwrite_configfiles
try:
    config = load(config, [*workflow.configfiles[len(OVERLAYS) :], *OVERLAYS])
except InputError as error:
    sys.exit(f"solverproof: {error}")

# by the environment, and so no part of what defines a job: where raw files lie changes no result
os.environ.update(SOLVERPROOF_DATA=os.getenv("SOLVERPROOF_DATA") or config["source"])

RESULTS = config["results"]
# an upgrade is told and runs nothing again: --forceall does
for line in upgrades(Path(RESULTS, "models")):
    print(f"solverproof: {line}", file=sys.stderr)
CELLS = {cell.path: cell for cell in study.cells(config)}
of_cell = partial(wildcards.of_cell, config, CELLS)
of_attempt = partial(wildcards.of_attempt, config, CELLS)
# a function only where it is needed: Snakemake calls it for every job
GPUS = of_cell(needs.gpus) if needs.wants_gpus(config) else 0


wildcard_constraints:
    task=r"[^/]+",
    cell=r"[^/]+/[^/]+/[^/]+/seeds-\d+-\d+",


onstart:
    gc.enable()
