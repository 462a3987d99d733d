"""The tables and the figure of the audits of a study."""

import math
from itertools import combinations

import pandas as pd
import pytest
from defined import written_table
from matplotlib.backends.backend_agg import FigureCanvasAgg

from solverproof.__main__ import main
from solverproof.evaluation.audit_rows import Audit
from solverproof.evaluation.validity import Drop
from solverproof.files import columns
from solverproof.reporting.audits import gather
from solverproof.reporting.figures.criteria import figure
from solverproof.reporting.figures.style import styled
from solverproof.reporting.specifications import NoSpec, TablesSpec

SPEC = TablesSpec(0.1, 0.1, {"toy": 0.5})
STEPS = (2, 4, 8)


def run(steps, seed, solver="euler", controller=None, task="toy"):
    return {
        "task": task, "train_solver": solver, "train_steps": steps, "train_tolerance": None,
        "controller": controller, "adapted": controller is not None, "seed": seed,
    }  # fmt: skip


def audit(steps, seed, missed=0.0, solver="euler", controller=None, task="toy", **values):
    return {
        **run(steps, seed, solver, controller, task),
        "verdict": "FAIL" if missed > 0.02 else "PASS",
        "kind": "solver-bound" if missed > 0.02 else "ode",
        "accepted": 0.01,
        "samples": 1000,
        "disagreement": missed,
        "uncontrolled": 2 * missed,
        "accuracy": 0.9,
        "crossing": 3.0,
        "folds": steps == 2,
        "status": "ok",
        **values,
    }


FAILED = dict.fromkeys(columns(Audit)) | {"status": "diverged", "reason": "NaN at 3"}


def study_of(folder, audits, untrained=()):
    """Tables of a study of these audits: a file per row, and drops that are all 0.05."""
    files = [folder / f"{i}.csv" for i in range(len(audits))]
    for file, row in zip(files, audits, strict=True):
        written_table(file, Audit, [row])
    of_runs = [
        {name: row[name] for name in columns(Drop) if name in run(0, 0)}
        | {"drop": 0.05, "valid": True, "status": "untrained" if i in untrained else "ok"}
        for i, row in enumerate(audits)
    ]
    written_table(folder / "drops.csv", Drop, of_runs)
    return files, folder / "drops.csv"


ROWS = [
    *(audit(n, seed, missed=0.3 if n < 8 else 0.0) for n in STEPS for seed in (0, 1)),
    audit(5, 0, missed=0.04, controller="adapt"),
    audit(4, 0, solver="rk4", crossing=math.nan, folds=None),
]


@pytest.fixture
def tables(tmp_path):
    files, drops = study_of(tmp_path, ROWS)
    gather(SPEC, files, drops, tmp_path / "tables")
    return tmp_path / "tables"


def test_audits_of_all_cells_are_one_table_with_the_columns_of_drops(tables):
    lines = (tables / "audits.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join([*columns(Audit), "drop", "valid", "error"])
    assert len(lines) == 1 + len(ROWS)
    table = pd.read_csv(tables / "audits.csv", dtype=str)
    assert set(table["folds"].dropna()) == {"true", "false"}
    assert set(table["train_steps"]) == {"2", "4", "8", "5"}
    assert set(table["samples"]) == {"1000"}
    assert set(table["valid"]) == {"true"}


def test_models_that_the_paper_calls_valid_and_the_audit_fails_are_counted(tables):
    found = pd.read_csv(tables / "criteria.csv").set_index(["train_solver", "criterion"])
    euler = found[found["controller"].isna()].loc[("euler", "accuracy")]
    assert (euler["met_fail"], euler["met_pass"], euler["valid_steps"]) == (4, 2, 2)
    strict = found[found["controller"].isna()].loc[("euler", "disagreement")]
    assert (strict["met_fail"], strict["unmet_fail"], strict["valid_steps"]) == (0, 4, 8)
    readable = (tables / "criteria.md").read_text(encoding="utf-8")
    assert "2 / 0 / 4" in readable
    assert "4–8 steps" in readable


def test_runs_that_failed_or_are_untrained_are_rows_with_a_status(tmp_path):
    rows = [*ROWS, FAILED | run(2, 2), audit(2, 3)]
    files, drops = study_of(tmp_path, rows, untrained={len(rows) - 1})
    gather(SPEC, files, drops, tmp_path)
    table = pd.read_csv(tmp_path / "audits.csv")
    table = table[table["train_solver"].eq("euler") & table["train_steps"].eq(2)]
    assert table.sort_values("seed")["status"].tolist() == ["ok", "ok", "diverged", "untrained"]
    assert table.loc[table["status"] == "diverged", "verdict"].isna().all()


def test_the_verb_writes_the_same_tables(tables, tmp_path):
    files = [str(tmp_path / f"{i}.csv") for i in range(len(ROWS))]
    spec = '{"threshold": 0.1, "error_threshold": 0.1, "chance": {"toy": 0.5}}'
    drops, out = str(tmp_path / "drops.csv"), tmp_path / "again"
    words = ["gather", "--spec", spec, "--drops", drops, "--out", str(out), "--audits", *files]
    assert main(words) == 0
    for path in tables.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()


def drawn(tmp_path, rows):
    files, drops = study_of(tmp_path, rows)
    gather(SPEC, files, drops, tmp_path)
    with styled():
        return figure(NoSpec(), tmp_path / "audits.csv", tmp_path / "criteria.csv")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_the_figure_has_a_panel_per_task_and_a_line_per_solver_and_criterion(tmp_path):
    others = [audit(n, seed, task="other") for n in STEPS for seed in (0, 1)]
    fig = drawn(tmp_path, [*ROWS, *others])
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["(a) other", "(b) toy"]
    assert texts(fig.axes[1]).count("4 of 6") == 1  # of those with a small drop
    assert texts(fig.axes[1]).count("0 of 1") == 3  # RK4, which has no crossing
    assert len(fig.axes[0].get_yticks()) == 4


def test_panels_of_many_tasks_keep_clear_of_each_other(tmp_path):
    names = ["a_task_of_a_long_name", "b", "c", "d", "e"]
    rows = [audit(n, seed, task=task) for task in names for n in STEPS for seed in (0, 1)]
    fig = drawn(tmp_path, rows)
    FigureCanvasAgg(fig).draw()
    boxes = [ax.get_tightbbox() for ax in fig.axes]
    assert len(boxes) == 5
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_the_key_of_a_single_task_keeps_clear_of_the_edge(tmp_path):
    solvers = ("euler", "midpoint", "rk4")
    rows = [
        audit(n, seed, missed=0.3, solver=solver)
        for solver in solvers
        for n in STEPS
        for seed in (0, 1)
    ]
    fig = drawn(tmp_path, rows)
    FigureCanvasAgg(fig).draw()
    (key,) = fig.legends
    box = key.get_window_extent()
    assert len(key.get_texts()) == 3 + len(solvers)
    assert fig.bbox.x0 <= box.x0 < box.x1 <= fig.bbox.x1


def test_an_end_beyond_the_settings_that_were_run_is_an_arrow(tmp_path):
    never = [audit(n, seed, missed=0.3 + 0.1 * seed) for n in STEPS for seed in (0, 1)]
    fig = drawn(tmp_path, never)
    (ax,) = fig.axes
    arrows = {
        (line.get_marker(), round(float(line.get_ydata()[0])))
        for line in ax.lines
        if line.get_marker() in ("<", ">")
    }
    # no setting has few unlike predictions, all have a small drop
    assert (">", 1) in arrows
    assert ("<", 0) in arrows
    assert (">", 0) not in arrows


def test_a_study_of_tolerances_alone_has_tables(tmp_path):
    rows = [
        audit(None, seed, solver="dopri5", crossing=3.0, folds=None) | {"train_tolerance": 0.1}
        for seed in (0, 1)
    ]
    files, drops = study_of(tmp_path, rows)
    gather(SPEC, files, drops, tmp_path)
    found = pd.read_csv(tmp_path / "criteria.csv")
    assert set(found["valid_tolerance"]) == {0.1}
