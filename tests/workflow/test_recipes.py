"""Every recipe of docs/recipes.md, planned for the finished default study as it stands there, and
carried out on a finished tiny study.
"""

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
TINY = {
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
    "Deselect": {},
    "Resume": {},
    "Train one cell again": {"train": 1, "evaluate": 1},
}
DEFAULT = TINY | {
    "Add a test solver": {"evaluate": 4},
    "Add a network that depends on the time": {"prepare": 1, "train": 2, "adapt": 5, "evaluate": 7},
    "Predict real values": {"prepare": 1, "train": 2, "adapt": 5, "evaluate": 7},
    "Add a controller": {"adapt": 5, "evaluate": 5},
    "Add seeds": {"train": 24, "adapt": 15, "evaluate": 39},
}
# what leaves the tables of the default study; nothing does where a recipe is not named
DROPPED = {
    "Run a sub-study": "sphere2/|digits/(fehlberg2|dopri5)/",
    "Deselect": "sphere2/rk4/|.*/(adapt_midpoint|adapt_often|random)/",
}
# No recipe is about audits, tables or figures of their own.
CELLS = ("--until", "evaluate")
# the tiny study has other blocks of seeds, and fewer samples, whose references take long
SMALLER = {"0-4": "0-1", "5-9": "2-3", "test: 360": "test: 10"}


def carry_out(study, recipe, *how, smaller=SMALLER):
    """Write the recipe's files, type its commands with more options; the last outcome."""
    for kind, block in RECIPES[recipe]:
        text = block
        for whole, part in smaller.items():
            text = re.sub(rf"\b{whole}\b", part, text)
        if kind == "console":
            outcomes = [typed(study, command, *how) for command in text.splitlines()]
        else:
            name, _, content = text.partition("\n")
            (study.folder / name.removeprefix("# ")).write_text(content, encoding="utf-8")
    return outcomes[-1]


def typed(study, command, *how):
    """What a command does; over the overlay of the tiny study where there is one."""
    words = shlex.split(command)
    if words[0] == "snakemake":
        at = words.index("--configfile") if "--configfile" in words else len(words)
        options, overlays = words[1:at], words[at + 1 :]
        if (study.folder / "tiny.yaml").exists():
            overlays = overlays[1:]  # without config/config.yaml, which it lies over
        outcome = study.snakemake(*options, *how, overlays=overlays)
        assert outcome.code == 0, outcome.text
        return outcome
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    package = str(study.folder / "workflow")
    env = {**os.environ, "PATH": path, "PYTHONPATH": package}
    return subprocess.run(words, cwd=study.folder, env=env, check=True)


def test_every_recipe_has_an_expectation():
    assert RECIPES.keys() == TINY.keys() == DEFAULT.keys()


@pytest.fixture(scope="session")
def default_cells(clone):
    return clone.plan().tabulated


# make test takes some of unlike kinds, make test-slow the others.
QUICK = (
    "Add a solver by its Butcher tableau",
    "Make data by code",
)
SOME = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in TINY]


@pytest.mark.parametrize("recipe", SOME)
def test_a_recipe_plans_for_the_default_study_what_it_says_and_drops_no_more(
    default, default_cells, recipe
):
    outcome = carry_out(default, recipe, "--dry-run", smaller={})
    jobs = {rule: count for rule, count in outcome.jobs.items() if rule in MADE}
    assert jobs == DEFAULT[recipe]
    kept = default_cells if outcome.idle else outcome.tabulated
    dropped = {cell for cell in default_cells if re.match(DROPPED.get(recipe, "$"), cell)}
    assert default_cells - kept == dropped
    assert bool(dropped) == (recipe in DROPPED)


@pytest.mark.parametrize("recipe", SOME)
def test_a_recipe_runs_what_it_says_and_no_more(study, recipe):
    jobs = carry_out(study, recipe, *CELLS).jobs
    assert {rule: count for rule, count in jobs.items() if rule in MADE} == TINY[recipe]


@pytest.mark.slow
def test_a_field_that_depends_on_the_time_is_traced_and_drawn_like_any_other(study):
    outcome = carry_out(study, "Add a network that depends on the time")
    figures = {"trace": 2, "trajectories": 1, "regions": 1, "adaptation": 1, "accuracy": 3}
    assert {rule: outcome.jobs[rule] for rule in figures} == figures
    text = study.contents("tables")["tables/evaluations.csv"].decode()
    rows = [row for row in csv.DictReader(text.splitlines()) if row["task"] == "clocked_sphere2"]
    assert {row["test_solver"] for row in rows} == {"euler", "midpoint", "rk4", "reference"}
    assert {row["status"] for row in rows} == {"ok"}


@pytest.mark.slow
def test_real_values_are_tabled_and_drawn_with_their_error(study):
    drawn = ("accuracy_diabetes", "adaptation_diabetes_euler_adapt_midpoint")
    figures = [f"results/figures/figure{i}_{name}.png" for i, name in enumerate(drawn, start=4)]
    carry_out(study, "Predict real values", "results/tables/comparison.md", *figures)
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
    assert all((study.folder / figure).exists() for figure in figures)


def test_editing_a_network_of_ones_own_trains_its_cells_again_and_only_these(study):
    carry_out(study, "Add a network", *CELLS)
    study.edit("my_fields.py", lambda code: "# edited\n" + code)
    assert study.plan(*CELLS, overlays=["my.yaml"]).jobs == {}
    study.edit("my_fields.py", lambda code: code.replace("Tanh", "Softplus"))
    outcome = study.plan(overlays=["my.yaml"])
    assert (
        outcome.cells("train")
        == outcome.cells("evaluate")
        == {"smooth_sphere2/euler/steps-2/seeds-0-1"}
    )
    assert "adapt" not in outcome.jobs
