import os
import sys
from pathlib import Path

sys.path.insert(0, str(workflow.basedir))
from solverproof import cells as study
from solverproof.config import load
from solverproof.errors import InputError
from solverproof.fingerprint import code_hash

# jobs find the package and the interpreter that runs this file, activated or not
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(workflow.basedir), os.environ.get("PYTHONPATH")]))
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

try:
    config = load(config, workflow.configfiles)
except InputError as error:
    sys.exit(f"solverproof: {error}")

RESULTS = config["results"]
CELLS = {cell.path: cell for cell in study.cells(config)}


wildcard_constraints:
    task=r"[^/]+",
    cell=r"[^/]+/[^/]+/steps-\d+/seeds-\d+-\d+",
