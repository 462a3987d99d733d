"""The two commands exist, the pins agree, and nothing is tied to one machine."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml

pytestmark = pytest.mark.workflow

PUBLISHED = Path(__file__).parents[2] / "docs" / "results"
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


def test_github_runs_make_test_and_the_tiny_study_with_its_report(clone):
    text = (clone.folder / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(text)["jobs"]["test"]["steps"]
    tests, study, report = [step["run"] for step in steps if "run" in step]
    assert tests == "make test"
    assert study == ".venv/bin/snakemake --cores all --directory .test"
    assert report == ".venv/bin/snakemake --directory .test --report results/report.html"
    assert (clone.folder / ".test" / "config" / "config.yaml").is_file()


def test_an_index_of_packages_reaches_pip(clone, tmp_path):
    """As a variable of make, which hands it on in the environment; pip reads it there."""
    copy = clone.copy_to(tmp_path / "clone").folder
    (copy / ".venv").mkdir()
    pip = "printenv PIP_EXTRA_INDEX_URL #"
    given = ("PIP_EXTRA_INDEX_URL=file:///builds", f"PIP={pip}", "PYTHON=true")
    make = ["make", "--silent", ".venv/study-installed", *given]
    done = subprocess.run(make, cwd=copy, capture_output=True, text=True, check=False)
    assert done.stdout == "file:///builds\n" * 2, done.stderr


def test_hashes_are_of_the_exact_versions_and_asked_for_by_one_variable(clone):
    envs = clone.folder / "envs"
    exact = pins((envs / "requirements.txt").read_text(encoding="utf-8").splitlines())
    hashed = [
        requirement
        for name in ("hashes-first.txt", "hashes.txt")
        for requirement in re.findall(
            r"^(\S+==\S+) (?:\\\n    --hash=sha256:[0-9a-f]{64} ?)+$",
            (envs / name).read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    ]
    assert sorted(hashed) == sorted(exact)
    make = ["make", "--dry-run", "--always-make", ".venv/study-installed"]
    for more, count in (["HASHES=yes"], 2), ([], 0):
        done = subprocess.run(
            [*make, *more], cwd=clone.folder, capture_output=True, text=True, check=True
        )
        assert done.stdout.count("--require-hashes") == count


def test_a_package_that_was_changed_is_refused(clone, tmp_path):
    changed = tmp_path / "cycler-0.12.1-py3-none-any.whl"
    about = "cycler-0.12.1.dist-info"
    with ZipFile(changed, "w") as wheel:
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: cycler\nVersion: 0.12.1\n"
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    hashes = (clone.folder / "envs" / "hashes.txt").read_text(encoding="utf-8")
    own = re.search(r"^cycler==.*\n(?: +--hash.*\n)+", hashes, re.MULTILINE)[0]
    (tmp_path / "hashes.txt").write_text(own, encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--isolated", "install", "--dry-run", "--ignore-installed")
    offered = ("--no-index", "--find-links", ".", "--no-deps", "--require-hashes")
    command = [*pip, *offered, "--requirement", "hashes.txt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr


@pytest.mark.parametrize("writable", [True, False])
def test_who_has_no_home_gets_one_beside_the_packages(clone, tmp_path, writable):
    """Without, Snakemake ends in a traceback before it reads the workflow."""
    copy = clone.copy_to(tmp_path / "clone").folder
    (copy / ".venv").mkdir()
    home = tmp_path if writable else tmp_path / "nowhere"
    make = ["make", "--silent", ".venv/study-installed", "PIP=printenv HOME #", "PYTHON=true"]
    environment = {**os.environ, "HOME": str(home)}
    done = subprocess.run(
        make, cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    given = home if writable else copy / ".venv" / "home"
    assert set(done.stdout.splitlines()) == {str(given)}, done.stderr


@pytest.mark.parametrize("study", [folder.name for folder in sorted(PUBLISHED.iterdir())])
def test_published_tables_and_figures_are_made_of_what_is_published_alone(clone, tmp_path, study):
    copy = clone.copy_to(tmp_path / "clone")
    shutil.copytree(PUBLISHED / study, copy.folder / "docs" / "results" / study)
    make = ["make", "--dry-run", f"published-{study}"]
    told = subprocess.run(make, cwd=copy.folder, capture_output=True, text=True, check=True).stdout
    (command,) = re.findall(r"^\S+/snakemake ((?:.*\\\n)*.*)$", told, re.MULTILINE)
    plan = copy.plan(*shlex.split(command.replace("\\\n", " ")))
    assert plan.jobs["tabulate"] == plan.jobs["gather"] == 1
    assert ("compare" in plan.jobs) == any((PUBLISHED / study).rglob("checks.csv"))
    assert plan.jobs.keys().isdisjoint({"prepare", "train", "adapt", "evaluate", "audit", "trace"})
    kept = {"tables": {".csv"}, "figures": {".png", ".gif"}}
    for folder, suffixes in kept.items():
        prefix = f"docs/results/{study}/{folder}/"
        made = {path for path in plan.outputs if path.startswith(prefix)}
        there = {f"{prefix}{file.name}" for file in (PUBLISHED / study / folder).iterdir()}
        shown = {path for path in made if Path(path).suffix in suffixes}
        assert shown - there <= {f"{prefix}evaluations.csv"}
        assert there <= made


def test_git_ignores_all_that_a_study_leaves_but_the_page_about_it(clone, study):
    subprocess.run(["git", "init", "--quiet"], cwd=study.folder, check=True)
    files = ["git", "ls-files", "--others", "--exclude-standard"]
    listed = subprocess.run(files, cwd=study.folder, capture_output=True, text=True, check=True)
    kept = {str(file.relative_to(clone.folder)) for file in clone.listing()}
    assert set(listed.stdout.splitlines()) - kept == {"tiny.yaml"}
    assert "results/README.md" in listed.stdout


def test_the_page_about_the_results_names_every_folder_of_them(study):
    page = (study.results / "README.md").read_text(encoding="utf-8")
    made = {file.name for file in study.results.iterdir() if file.is_dir()}
    assert set(re.findall(r"^\| `(\w+)/`", page, re.MULTILINE)) == made | {"checkpoints"}


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
