"""A tiny study in a fresh clone, and what can be asked of it.

Helpers are methods of `Study`, because test modules cannot import from a conftest.
"""

import compileall
import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest
from tests.workflow.forked import dry_run

REPOSITORY = Path(__file__).parents[2]
PUBLISHED = "docs/results/"  # megabytes that hardly any test needs
PAGE = Path("results/README.md")  # the only file there that comes with a clone
GENERATED = {".git", ".venv", ".snakemake", "results", "downloads", "__pycache__"}
TARGETS = {"study", "all", "tables", "figures"}
# Two tasks and the default solvers, six cells: of spheres two that take long enough to be
# interrupted, one with an adaptive solver and two with a controller; of digits one.
TINY = """
results: results
select: {tasks: [sphere2, digits], solvers: [euler, rk4, fehlberg2, dopri5], seeds: [0-1]}
steps:
  sphere2: {euler: [2, 4], rk4: null}
  digits: {euler: [1]}
tolerances:
  sphere2: {fehlberg2: [0.1], dopri5: null}
  digits: null
controlled:
  sphere2: {euler: [adapt_midpoint]}
  digits: {euler: []}
controllers:
  adapt_midpoint: {initial: 0.5, most_steps: 8, interval: 20, probe_every: 100}
test: {ratios: [1, 0.5], tolerance_ratios: [1]}
tasks:
  sphere2: {data: {train: 200, test: 100}}
  digits: {data: {test: 10}}
protocols:
  paper_spheres: {iterations: 200}
  digits: {iterations: 5}
figures:
  flow: {fine: 4, coarse: 2}
"""


@dataclass(frozen=True)
class Outcome:
    """What a call of Snakemake returned and printed."""

    code: int
    text: str

    @property
    def started(self):
        """Rule and wildcards of every job started (planned, in a dry run), targets left out."""
        blocks = re.findall(
            r"^ *(?:local)?rule (\w+):\n((?: +\w+: .*\n)*)", self.text, re.MULTILINE
        )
        wildcards = [re.search(r"^ +wildcards: (.*)$", block, re.MULTILINE) for _, block in blocks]
        jobs = [
            (rule, found[1] if found else "")
            for (rule, _), found in zip(blocks, wildcards, strict=True)
        ]
        assert jobs or self.idle, f"neither jobs nor idle:\n{self.text}"
        return [(rule, values) for rule, values in jobs if rule not in TARGETS]

    @property
    def idle(self):
        # With `--until` Snakemake says so by its table of jobs alone.
        told = r"Nothing to be done|^total +0$"
        return bool(re.search(told, self.text, re.MULTILINE))

    @property
    def jobs(self):
        """Number of jobs per rule."""
        return dict(Counter(rule for rule, _ in self.started))

    @property
    def outputs(self):
        """All files that the jobs make."""
        return self._files("output", r"\w+")

    @property
    def tabulated(self):
        """The cells that the tables are made of."""
        evaluations = self._files("input", "tabulate")
        return {file.partition("evaluations/")[2].removesuffix(".csv") for file in evaluations}

    def _files(self, key, rule):
        jobs = rf"^ *(?:local)?rule {rule}:\n(?: +\w+: .*\n)*? +{key}: (.*)$"
        found = re.findall(jobs, self.text, re.MULTILINE)
        return {file for files in found for file in files.split(", ")}

    def cells(self, rule):
        return {values.removeprefix("cell=") for name, values in self.started if name == rule}


@dataclass(frozen=True)
class Study:
    """A checkout and the study in it; `tiny.yaml` and `change.yaml` there are its overlays.

    Jobs are counted from what Snakemake itself prints, which it does with `--printshellcmds`.
    """

    folder: Path
    options: tuple[str, ...] = ("--printshellcmds",)

    @property
    def results(self):
        return self.folder / "results"

    def change(self, overlay):
        (self.folder / "change.yaml").write_text(overlay, encoding="utf-8")

    def edit(self, path, change):
        """Replace a file's text by what `change` makes of it."""
        file = self.folder / path
        before = file.read_text(encoding="utf-8")
        assert change(before) != before
        file.write_text(change(before), encoding="utf-8")

    def command(self, *arguments, overlays=()):
        return [sys.executable, "-m", "snakemake", *self._arguments(arguments, overlays)]

    def snakemake(self, *arguments, overlays=()):
        if "--dry-run" in arguments:
            return self._planned(self._arguments(arguments, overlays))
        done = subprocess.run(
            self.command(*arguments, overlays=overlays),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        return Outcome(done.returncode, done.stdout)

    def _planned(self, arguments):
        # Beside the checkout, which must stay as it is.
        with NamedTemporaryFile(dir=self.folder.parent) as out:
            code = dry_run(arguments, self.folder, out.name, timeout=600)
            return Outcome(code, out.read().decode())

    def _arguments(self, arguments, overlays):
        own = [name for name in ("tiny.yaml", "change.yaml") if (self.folder / name).exists()]
        files = ["--configfile", *own, *overlays] if own or overlays else []
        return [*self.options, *map(str, arguments), *files]

    def plan(self, *arguments, overlays=()):
        """A dry run."""
        return self._succeed("--dry-run", *arguments, overlays=overlays)

    def run(self, *arguments, cores=2):
        return self._succeed("--cores", cores, *arguments)

    def _succeed(self, *arguments, overlays=()):
        outcome = self.snakemake(*arguments, overlays=overlays)
        assert outcome.code == 0, outcome.text
        return outcome

    def contents(self, *folders):
        """Relative path to bytes of all files in folders of the results."""
        files = [
            file
            for folder in folders
            for file in (self.results / folder).rglob("*")
            if file.is_file()
        ]
        return {str(file.relative_to(self.results)): file.read_bytes() for file in files}

    def listing(self):
        """Path to size and time of all files, but for Snakemake's own logs."""
        logs = self.folder / ".snakemake" / "log"
        files = [
            file for file in self.folder.rglob("*") if file.is_file() and logs not in file.parents
        ]
        return {file: (file.stat().st_size, file.stat().st_mtime_ns) for file in files}

    def copy_to(self, folder):
        shutil.copytree(self.folder, folder)
        return Study(folder)


def files_of_clone():
    """Files a clone would have, tracked or about to be."""
    listing = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(
            listing, cwd=REPOSITORY, capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        paths = [file.relative_to(REPOSITORY) for file in REPOSITORY.rglob("*")]
        return [
            path
            for path in paths
            if (path == PAGE or not GENERATED.intersection(path.parts))
            and (REPOSITORY / path).is_file()
        ]
    names = [name for name in listed.split("\0") if name and not name.startswith(PUBLISHED)]
    return [Path(name) for name in names if (REPOSITORY / name).is_file()]


def clone_into(folder):
    """A fresh clone in a folder, without the published results."""
    for file in files_of_clone():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / file, folder / file)
    # Copies take the compiled files with them, or each would compile the package anew.
    assert compileall.compile_dir(folder / "workflow", quiet=1)
    return Study(folder)


@pytest.fixture(scope="session")
def clone(tmp_path_factory):
    """A fresh clone in which nothing has run; tests leave it as it is."""
    return clone_into(tmp_path_factory.mktemp("clone"))


@pytest.fixture
def fresh(clone, tmp_path):
    """A fresh clone with the tiny study's overlay, to be run or spoilt."""
    study = clone.copy_to(tmp_path / "fresh")
    (study.folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    return study


@pytest.fixture(scope="session")
def finished(clone, tmp_path_factory):
    """The tiny study, run once for all workers of pytest-xdist; tests leave it as it is."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "finished.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "finished").exists():
            study = clone.copy_to(tmp_path_factory.mktemp("first") / "study")
            (study.folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
            study.run()
            study.folder.rename(shared / "finished")
    return Study(shared / "finished")


@pytest.fixture(scope="session")
def as_if_finished(clone, tmp_path_factory):
    """The default study as Snakemake sees it after a run, of empty files; tests leave it as is."""
    study = clone.copy_to(tmp_path_factory.mktemp("as_if") / "study")
    for path in study.plan().outputs:
        file = study.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text('{"versions": {}}' if file.name == "run.json" else "", encoding="utf-8")
    study.run("--touch", "--forceall", cores=1)
    return study


@pytest.fixture
def default(as_if_finished, tmp_path):
    """A copy of it, file times and all."""
    return as_if_finished.copy_to(tmp_path / "default")


@pytest.fixture
def study(finished, tmp_path):
    """A copy of the finished tiny study, file times and all."""
    return finished.copy_to(tmp_path / "study")
