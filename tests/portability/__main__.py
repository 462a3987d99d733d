"""A tiny study under strange circumstances, one after the other, and what became of each.

    python -m tests.portability --environments .venv/portability --page docs/portability.md

Every circumstance starts with a fresh checkout and ends with a dry run, which must find nothing to
do. Names on the command line choose among them. Environments that are not there are made.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from tests.portability.circumstances import CIRCUMSTANCES, MADE, OVERLAY, plain
from tests.portability.environments import ENVIRONMENTS, MissingError, environment
from tests.workflow.conftest import REPOSITORY, clone_into

SAME = "the same tables"
ROUNDING = 1e-5  # other versions may add in another order


@dataclass(frozen=True)
class Case:
    """One circumstance, and what became of the study."""

    told: str
    outcome: str
    good: bool


def main():
    """Run the campaign; the exit status is 1 if a circumstance ended badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.portability", description=__doc__)
    parser.add_argument("names", nargs="*", help="some of the circumstances; all by default")
    parser.add_argument("--jobs", type=int, default=1, help="circumstances at the same time")
    parser.add_argument("--environments", type=Path, default=Path(".venv", "portability"))
    parser.add_argument("--page", type=Path, help="the table of outcomes, as Markdown")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="portability") as folder:
        Path(folder).chmod(0o755)  # some circumstances are other users
        expected = _tables(_finished(plain, Path(folder, "plain"), sys.executable))
        bench = Bench(Path(folder), args.environments.absolute(), expected)
        every = (*CIRCUMSTANCES, *ENVIRONMENTS)
        names = [name for name in every if not args.names or name in args.names]
        with ThreadPoolExecutor(args.jobs) as pool:
            cases = list(pool.map(bench.case, names))
    if args.page:
        args.page.write_text(page(cases), encoding="utf-8")
    return int(not all(case.good for case in cases))


@dataclass(frozen=True)
class Bench:
    """Where studies run and environments lie, and the tables without circumstances."""

    folder: Path
    environments: Path
    expected: dict[str, bytes]

    def case(self, name):
        """What became of the study under the circumstance, or in the environment, of that name."""
        case = Case(_told(name), *self._outcome(name))
        print(f"{name}: {case.outcome}", flush=True)
        return case

    def _outcome(self, name):
        try:
            if name in CIRCUMSTANCES:
                results = _finished(CIRCUMSTANCES[name], self.folder / name, sys.executable)
                return _judged(results, self.expected, 0), True
            python = environment(ENVIRONMENTS[name], self.environments / name)
            results = _finished(plain, self.folder / name, python)
            return _judged(results, self.expected, ROUNDING), True
        except MissingError as why:
            return f"not run: {why}", True
        except FailedError as why:
            return f"FAILED: {why}", False


def _told(name):
    found = CIRCUMSTANCES.get(name)
    told = found.__doc__ if found else ENVIRONMENTS[name].told
    return " ".join(told.split()).rstrip(".")


class FailedError(Exception):
    """A study that was not finished, or not as it should be."""


def _finished(circumstance, folder, python):
    """The results of all calls, after them and a dry run of each."""
    checkout = folder / "checkout"
    clone_into(checkout)
    (checkout / "tiny.yaml").write_text(OVERLAY, encoding="utf-8")
    calls = circumstance(checkout, python)
    _together(calls)
    for output in _together(calls, "--dry-run"):
        if "Nothing to be done" not in output:
            raise FailedError(f"it would do something again:\n{output}")
    return [_results(call) for call in calls]


def _results(call):
    options = call.options
    work = (
        Path(options[options.index("--directory") + 1]) if "--directory" in options else call.folder
    )
    return work / call.results


def _together(calls, *more):
    """What the calls print, which are given at the same time."""
    processes = [
        subprocess.Popen(
            call.command(*more),
            cwd=call.folder,
            env=call.variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        for call in calls
    ]
    outputs = [process.communicate()[0].decode(errors="replace") for process in processes]
    for process, output in zip(processes, outputs, strict=True):
        if process.returncode or "Traceback" in output:
            raise FailedError(f"exit status {process.returncode}:\n{output}")
    return outputs


def _tables(results):
    """Name to content of the tables; one set of them, because all calls make the same."""
    first, *others = [
        {file.name: file.read_bytes() for file in (folder / "tables").iterdir()}
        for folder in results
    ]
    if any(other != first for other in others):
        raise FailedError("the calls made different tables")
    return first


def _judged(results, expected, allowed):
    """The difference in words; no more is allowed than this, relative to the largest number."""
    for folder in results:
        for path in MADE:
            if not (folder / path).stat().st_size:
                raise FailedError(f"{path} is empty")
    made = _tables(results)
    if made == expected:
        return SAME
    worst = _difference(results[0] / MADE[0], expected[Path(MADE[0]).name])
    if worst > allowed:
        raise FailedError(f"tables that differ by {worst:.1g}")
    return f"tables that differ by at most {worst:.0e}"


def _difference(file, expected):
    """The largest difference of numbers, relative to the largest of their column."""
    made, other = pd.read_csv(file), pd.read_csv(BytesIO(expected))
    if list(made) != list(other) or len(made) != len(other):
        return np.inf
    numbers = other.select_dtypes("number").columns
    rest = made.columns.difference(numbers)
    if not made[rest].equals(other[rest]):
        return np.inf
    apart = (made[numbers] - other[numbers]).abs().max()
    return float((apart / other[numbers].abs().max()).max())


def page(cases):
    """Circumstances and outcomes, as a page of the documentation."""
    rows = "\n".join(f"| {case.told} | {case.outcome.splitlines()[0]} |" for case in cases)
    return PAGE.format(
        commit=_commit(), python=platform.python_version(), system=_system(), rows=rows
    )


def _commit():
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _system():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


PAGE = """# Where it runs

Written by `make portability`: commit {commit}, Python {python}, {system}.

A study of one cell, from raw data to its table and figure, was run in a fresh checkout in each of these circumstances, and its
tables were held against those of the same study in a plain folder, byte by byte. Then the same command had nothing to do.
Names of folders have spaces, quotes, `$`, `;`, `–`, `数` and `ü` where other letters are spoken of.

| circumstance | outcome |
|---|---|
{rows}

Snakemake keeps a cache in `HOME`, or in `XDG_CACHE_HOME`, and ends in a traceback where neither can be written, before it reads
the workflow. `make` gives it `.venv/home` then; without make, `export HOME=$PWD/.venv/home` does.
"""

if __name__ == "__main__":
    sys.exit(main())
