"""The two commands exist, the pins agree, and nothing is tied to one machine."""

import os
import re
import subprocess

import pytest
import yaml

pytestmark = pytest.mark.workflow

COMMANDS = {
    "figures": "snakemake --cores",
    "smoke": "--configfile config/smoke.yaml",
    "test": "python -m pytest",
    "bench": "python -m solverproof bench",
}
# in pieces, so that this file does not find itself
MACHINE = re.compile(
    r"(?<![\w.])/(?:" + "|".join(("work/", "tmp/venv", "opt/", "root\\b", "home/")) + ")"
)
REGISTRY = re.compile(
    "|".join(
        (r"pypi\." + "org", r"python" + "hosted", r"anaconda\." + "(?:org|com)", "index" + "-url")
    )
)


def pins(lines):
    return {line.strip().lower() for line in lines if "==" in line}


@pytest.mark.parametrize(("target", "command"), COMMANDS.items(), ids=COMMANDS.keys())
def test_make_knows_how_to(clone, target, command):
    make = subprocess.run(
        ["make", "--dry-run", target], cwd=clone.folder, capture_output=True, text=True, check=False
    )
    assert make.returncode == 0, make.stderr
    assert command in make.stdout


def test_ci_runs_make_test(clone):
    script = clone.folder / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8").splitlines()


def test_the_conda_environment_has_the_versions_of_the_requirements(clone):
    conda = yaml.safe_load((clone.folder / "envs/solverproof.yaml").read_text(encoding="utf-8"))
    (pip,) = [entry["pip"] for entry in conda["dependencies"] if isinstance(entry, dict)]
    requirements = (clone.folder / "envs/requirements.txt").read_text(encoding="utf-8").splitlines()
    assert pins(pip)
    assert pins(pip) <= pins(requirements)


@pytest.mark.parametrize(
    "foreign", [MACHINE, REGISTRY], ids=["a path of one machine", "a package registry"]
)
def test_no_file_mentions(clone, foreign):
    files = [file for file in clone.listing() if clone.folder / ".snakemake" not in file.parents]
    found = [
        f"{file.relative_to(clone.folder)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(
            file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if foreign.search(line)
    ]
    assert found == []
