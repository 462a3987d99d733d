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
]  # the working directory may hold the user's own networks
from snakemake.utils import update_config
from solverproof.checksums import verify
from solverproof.errors import InputError
from solverproof.reporting import titles
from solverproof.specifications import canonical
from solverproof.study import resources as needs
from solverproof.study import specifications as specs
from solverproof.study import wildcards
from solverproof.study.captions import captions
from solverproof.study.cells import Study
from solverproof.study.config import load, read
from solverproof.study.fingerprint import code_hash
from solverproof.study.leftovers import leftovers
from solverproof.study.provenance import upgrades
from solverproof.study.workload import training_work

# Jobs find the package and the interpreter that runs this file, activated or not. With conda
# Snakemake takes PYTHONPATH out of the environment of shell jobs, so the prefix sets it.
shell.prefix(f"set -euo pipefail; export PYTHONPATH={shlex.quote(PACKAGE)}; ")
os.environ.update(
    PATH=os.pathsep.join(
        [str(Path(sys.executable).parent), os.getenv("PATH", os.defpath)]
    )
)

# Snakemake lists the files of the command line first, though they win over the workflow's own. It
# also merges them among themselves first, so a null that deselects would be lost where a later file
# selects anew: they are merged here.
OVERLAYS = workflow.overwrite_configfiles
REPLACED = workflow.config_settings.replace_workflow_config
BASE = [] if REPLACED else workflow.configfiles[len(OVERLAYS) :]
CONFIG_FILES = [Path(file) for file in (*BASE, *OVERLAYS)]
try:
    # A workflow that uses this one as a module gives it the whole configuration.
    MERGED = config if workflow.modifier.skip_configfile else read(CONFIG_FILES)
    update_config(MERGED, workflow.config_settings.config)  # what --config sets
    STUDY = Study(load(MERGED, CONFIG_FILES))
    # Of all other files the jobs that read them do this. Processes of jobs must not: they may come
    # between a table and its checksum.
    if workflow.is_main_process:
        verify(Path(STUDY.config["results"], "tables").glob("[!.]*"))
except InputError as error:
    sys.exit(f"solverproof: {error}")

# Passed in the environment, not as a parameter: where raw files lie changes no result, so it must
# not be part of what defines a job.
os.environ.update(
    SOLVERPROOF_DATA=os.getenv("SOLVERPROOF_DATA") or STUDY.config["source"]
)

RESULTS = STUDY.config["results"]
# Upgrades are reported but trigger no re-run; --forceall does.
for line in upgrades(Path(RESULTS, "models")):
    print(f"solverproof: {line}", file=sys.stderr)
CELLS = {cell.path: cell for cell in STUDY.cells}
of_task = partial(wildcards.of_name, "task", STUDY.tasks)
of_cell = partial(wildcards.of_name, "cell", CELLS)
of_seed = partial(
    wildcards.of_seed, {path: cell for path, cell in CELLS.items() if cell.setting}
)
of_attempt = partial(wildcards.of_attempt, CELLS)
# A function only where it is needed, because Snakemake calls it for every job.
WANT_GPUS = any(map(needs.wants_gpu, STUDY.tasks.values()))
GPUS = of_cell(needs.gpus) if WANT_GPUS else 0
ENVIRONMENT = "../../envs/solverproof.yaml"


def tell_leftovers(made):
    if earlier := leftovers(Path(RESULTS), made):
        told = f"of an earlier selection, not made by this one: {', '.join(earlier)}"
        print(f"solverproof: {told}", file=sys.stderr)


wildcard_constraints:
    task=r"[^/]+",
    cell=r"[^/]+/[^/]+/[^/]+/seeds-\d+-\d+",
