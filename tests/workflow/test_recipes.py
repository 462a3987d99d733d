"""Every recipe of docs/recipes.md, carried out as it stands on a finished tiny study."""

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
RECIPES = {
    part.partition("\n")[0]: re.findall(r"^```(\w+)\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
}
MADE = ("prepare", "train", "adapt", "evaluate")
EXPECTED = {
    "Add a training solver": {"train": 2, "evaluate": 2},
    "Add a test solver": {"evaluate": 1},
    "Add a solver by its Butcher tableau": {"train": 1, "evaluate": 1},
    "Add a data set": {"prepare": 1, "train": 2, "evaluate": 2},
    "Use image data": {"prepare": 1, "train": 2, "evaluate": 2},
    "Add a network": {"prepare": 1, "train": 1, "evaluate": 1},
    "Add a network that depends on the time": {"prepare": 1, "train": 2, "adapt": 2, "evaluate": 4},
    "Train otherwise": {"prepare": 1, "train": 2, "evaluate": 2},
    "Add a loss": {"prepare": 1, "train": 1, "evaluate": 1},
    "Predict real values": {"prepare": 1, "train": 2, "adapt": 2, "evaluate": 4},
    "Make data by code": {"prepare": 1, "train": 1, "evaluate": 1},
    "Augment the state": {"prepare": 1, "train": 1, "evaluate": 1},
    "Add an encoder and a head": {"prepare": 1, "train": 1, "evaluate": 1},
    "Add a controller": {"adapt": 6, "evaluate": 6},
    "Add seeds": {"train": 4, "adapt": 2, "evaluate": 6},
    "Run a sub-study": {},
    "Resume": {},
    "Train one cell again": {"train": 1, "evaluate": 1},
}


def carry_out(study, recipe):
    """Write the recipe's files, type its commands; the last outcome."""
    for kind, block in RECIPES[recipe]:
        if kind == "console":
            outcomes = [typed(study, command) for command in block.splitlines()]
        else:
            name, _, text = block.partition("\n")
            (study.folder / name.removeprefix("# ")).write_text(text, encoding="utf-8")
    return outcomes[-1]


def typed(study, command):
    """What a command does, with the tiny study in place of the default one."""
    words = shlex.split(command)
    if words[0] == "snakemake":
        overlays = (
            words[words.index("config/config.yaml") + 1 :] if "config/config.yaml" in words else []
        )
        options = words[1 : words.index("--configfile")] if overlays else words[1:]
        outcome = study.snakemake(*options, overlays=overlays)
        assert outcome.code == 0, outcome.text
        return outcome
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(words, cwd=study.folder, env={**os.environ, "PATH": path}, check=True)


def test_every_recipe_has_an_expectation():
    assert RECIPES.keys() == EXPECTED.keys()


@pytest.mark.parametrize("recipe", EXPECTED)
def test_a_recipe_runs_what_it_says_and_no_more(study, recipe):
    jobs = carry_out(study, recipe).jobs
    assert {rule: count for rule, count in jobs.items() if rule in MADE} == EXPECTED[recipe]


def test_a_field_that_depends_on_the_time_is_traced_and_drawn_like_any_other(study):
    outcome = carry_out(study, "Add a network that depends on the time")
    figures = {"trace": 2, "trajectories": 1, "regions": 1, "adaptation": 1, "accuracy": 3}
    assert {rule: outcome.jobs[rule] for rule in figures} == figures
    text = study.contents("tables")["tables/evaluations.csv"].decode()
    rows = [row for row in csv.DictReader(text.splitlines()) if row["task"] == "clocked_sphere2"]
    assert {row["test_solver"] for row in rows} == {"euler", "midpoint", "rk4", "reference"}
    assert {row["status"] for row in rows} == {"ok"}


def test_real_values_are_tabled_and_drawn_with_their_error(study):
    carry_out(study, "Predict real values")
    files = study.contents("tables")
    drops = csv.DictReader(files["tables/drops.csv"].decode().splitlines())
    rows = [row for row in drops if row["task"] == "diabetes"]
    assert len(rows) == 6
    assert all(0 < float(row["error"]) < 2 and row["accuracy"] == "" for row in rows)
    assert {row["error_reference"] != "" for row in rows} == {True}
    for table in ("critical_steps.md", "comparison.md"):
        lines = [x for x in files[f"tables/{table}"].decode().splitlines() if "diabetes" in x]
        assert lines
        assert all("error 0." in line or "error 1." in line for line in lines)
    figures = {path.name for path in (study.results / "figures").iterdir()}
    assert "figure4_accuracy_diabetes.png" in figures
    assert "figure5_adaptation_diabetes_euler_adapt_midpoint.png" in figures


def test_editing_a_network_of_ones_own_trains_its_cells_again_and_only_these(study):
    carry_out(study, "Add a network")
    study.edit("my_fields.py", lambda code: "# edited\n" + code)
    assert study.plan(overlays=["my.yaml"]).jobs == {}
    study.edit("my_fields.py", lambda code: code.replace("Tanh", "Softplus"))
    outcome = study.plan(overlays=["my.yaml"])
    assert (
        outcome.cells("train")
        == outcome.cells("evaluate")
        == {"smooth_sphere2/euler/steps-2/seeds-0-1"}
    )
    assert "adapt" not in outcome.jobs
