"""Random faults in a tiny study, and what became of each.

    python -m tests.torture --runs 200 --seed 0 --jobs 2 --page docs/faults.md

Run number i of a seed is the same fault always, up to the moment at which it meets the study.
"""

import argparse
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.torture.faults import FAULTS, TASKS, run
from tests.workflow.conftest import REPOSITORY, Study, clone_into

OVERLAY = """
select: {tasks: [sphere2, other], solvers: [euler], seeds: [0-1]}
steps: {sphere2: {euler: [2], rk4: null}, other: {euler: [2]}}
tolerances: null
controlled: null
test: {ratios: [1, 0.5]}
tasks:
  sphere2: &spheres {data: {family: spheres, dimension: 2, train: 40, test: 20}, network: mlp64, protocol: short}
  other: {<<: *spheres, data: {family: spheres, dimension: 2, train: 40, test: 20, seed: 1}}
protocols: {short: {iterations: 100, batch: 20, learning_rate: 1.0e-3}}
figures: {flow: {task: sphere2, solver: euler, fine: 2, coarse: 2, seed: 0}}
"""
# What has to be made when the fault comes: these folders of a task, and all tables.
UNMADE = (None, [], ["audits"], ["evaluations"], ["models", "evaluations"], ["data", "models"])
ROUNDS = 5
WHOLE = 200  # runs
TO_TYPE = re.compile(r"if the clock is right now, type: (.*)")
NOT_ITS_OWN = re.compile(r"solverproof: (\S+) is not what its job wrote: .*delete it")
FINE = ("was not harmed", "was made good by the same command", "told what to do, which helped")


@dataclass(frozen=True)
class Case:
    """One fault, and what became of the study."""

    number: int
    fault: str
    detail: str
    outcome: str


def main():
    """Run the campaign; the exit status is 1 if a fault ended badly."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--runs", type=int, default=WHOLE)
    parser.add_argument("--first", type=int, default=0, help="number of the first run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--page", type=Path, help="the table of faults and outcomes, as Markdown")
    args = parser.parse_args()
    commit, cases = _commit(), []
    numbers = range(args.first, args.first + args.runs)
    with tempfile.TemporaryDirectory(prefix="torture") as folder:
        for case in campaign(Path(folder), args.seed, numbers, args.jobs):
            cases.append(case)
            print(f"{case.number}: {case.fault} ({case.detail}): {case.outcome}", flush=True)
            if args.page:  # after each, because a campaign may be stopped
                args.page.write_text(page(cases, args.seed, commit), encoding="utf-8")
    return int(any(case.outcome not in FINE for case in cases))


def campaign(folder, seed, numbers, jobs):
    """The cases with these numbers, in their order."""
    finished = _finished(folder / "finished", OVERLAY)
    older = _finished(folder / "older", OVERLAY.replace("iterations: 100", "iterations: 50"))
    attempt = partial(_attempt, finished, older, finished.contents("tables"), seed)
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(attempt, numbers)


def _attempt(finished, older, expected, seed, number):
    draw = random.Random(f"{seed} {number}")
    study = finished.copy_to(finished.folder.parent / str(number))
    _unmake(study, draw)
    fault = list(FAULTS)[number % len(FAULTS)]
    detail, outcome = FAULTS[fault](study, older, draw)
    case = Case(number, fault, detail, _judged(study, outcome, expected))
    if case.outcome in FINE:
        shutil.rmtree(study.folder)
    else:
        kept = Path(tempfile.mkdtemp(prefix=f"torture-{number}-"))
        shutil.move(study.folder, kept)
        print(f"{number}: the study is in {kept}", flush=True)
    return case


def _finished(folder, overlay):
    study = Study(clone_into(folder).folder, options=())
    (folder / "tiny.yaml").write_text(overlay, encoding="utf-8")
    outcome = run(study)
    assert outcome.code == 0, outcome.text
    return study


def _unmake(study, draw):
    """Remove the tables, and some of what they are made of; or nothing."""
    task, folders = draw.choice(TASKS), draw.choice(UNMADE)
    if folders is None:
        return
    shutil.rmtree(study.results / "tables")
    for name in folders:
        shutil.rmtree(study.results / name / task, ignore_errors=True)
        (study.results / name / f"{task}.safetensors").unlink(missing_ok=True)


def _judged(study, outcome, expected):
    """Give the same command until it succeeds, and do what it says in between."""
    followed = False
    for count in range(ROUNDS):
        if outcome.code == 0:
            if study.contents("tables") != expected:
                return "WRONG: other tables, and no error"
            if left := [str(file) for file in study.results.rglob(".*")]:
                return f"LEFT BEHIND: {left}"
            return FINE[2] if followed else FINE[1] if count else FINE[0]
        advised = _follow(study, outcome.text)
        followed = followed or advised
        outcome = run(study)
    return f"STUCK: {outcome.text.strip().splitlines()[-1]}"


def _follow(study, text):
    """Do what the command said, if it said anything to do."""
    for name in set(NOT_ITS_OWN.findall(text)):
        (study.folder / name).unlink(missing_ok=True)
    if command := TO_TYPE.search(text):
        subprocess.run(shlex.split(command[1]), cwd=study.folder, check=True)
    if locked := "--unlock" in text:
        study.snakemake("--unlock")
    return bool(NOT_ITS_OWN.search(text) or command) or locked


def page(cases, seed, commit):
    """Faults and outcomes, as a page of the documentation."""
    rows = []
    for fault in FAULTS:
        found = Counter(case.outcome for case in cases if case.fault == fault)
        bad = sum(count for outcome, count in found.items() if outcome not in FINE)
        counts = [found.total(), *(found[outcome] for outcome in FINE), bad]
        rows.append(f"| {fault} | {' | '.join(map(str, counts))} |")
    fine = sum(case.outcome in FINE for case in cases)
    return PAGE.format(
        runs=len(cases), fine=fine, seed=seed, numbers=f"{cases[0].number} to {cases[-1].number}",
        commit=commit, python=sys.version.split()[0], short="" if len(cases) >= WHOLE else f" A whole campaign has {WHOLE} runs.", rows="\n".join(rows), rounds=ROUNDS,
    )  # fmt: skip


def _commit():
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.strip()


PAGE = """# Faults

Written by `make torture`: commit {commit}, seed {seed}, runs {numbers}, Python {python}.{short}

A study of two tasks and one cell each is finished, then some of it is removed, and the command that makes its tables is given
under a random fault. If it fails, what it says is done, if it says anything to do, and the same command is given again. In
**{fine} of {runs}** runs it ended with the tables of a run without faults, byte by byte.

| fault | runs | did no harm | the same command again | what it said, then the same command | bad |
|---|---|---|---|---|---|
{rows}

*Bad* are other tables without an error, a run that does not succeed after {rounds} attempts, and temporary files left behind.
"""

if __name__ == "__main__":
    sys.exit(main())
