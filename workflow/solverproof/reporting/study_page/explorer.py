"""The data of the explorer: scores of every model under every test setting, and trajectories."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from solverproof.evaluation.rows import REFERENCE, SAMPLE
from solverproof.evaluation.scores import score_of
from solverproof.evaluation.validity import has_trained
from solverproof.files import read_arrays
from solverproof.reporting.in_words import setting_text
from solverproof.reporting.study_page.made import Cell, Made, setting_label

LEVELS = 65535  # of a coordinate; 0 is a number that is not finite
FARTHEST = 3.0  # the largest coordinate, seen from the middle of the frame, in halves of its width
DIGITS = 4  # of a score
Arrays = Mapping[str, np.ndarray]


def models(made: Made, explorations: Sequence[Path]) -> list[dict[str, Any]]:
    """What the explorer shows, one entry for each setting, or for each run with a controller.

    Args:
        made: the study.
        explorations: what the rule `explore` computed, `TASK/SOLVER/SETTING/SEEDS.safetensors`.
    """
    explored = {"/".join(path.with_suffix("").parts[-4:]): path for path in explorations}
    shown: dict[tuple[str, int | None], list[Cell]] = {}
    for cell in made.shown:
        seed = None if "setting" in cell.run["spec"] else cell.seeds[0]
        shown.setdefault((cell.group, seed), []).append(cell)
    found = []
    for (_, seed), cells in shown.items():
        rows, runs = (
            pd.concat([made.of_cell(table, cell) for cell in cells])
            for table in ("evaluations", "drops")
        )
        file = next((explored[cell.path] for cell in cells if cell.path in explored), None)
        found.append(_model(cells[0], rows, runs, seed, read_arrays(file) if file else {}))
    return found


def _model(
    cell: Cell, rows: pd.DataFrame, runs: pd.DataFrame, seed: int | None, explored: Arrays
) -> dict[str, Any]:
    task, solver, label, _ = cell.path.split("/")
    trained = [int(s) for s in runs[has_trained(runs)]["seed"]]
    kept, score = rows[rows["seed"].isin(trained)], score_of(rows)
    measure = "tolerance" if runs["train_tolerance"].notna().any() else "steps"
    value = float(runs[f"train_{measure}"].iloc[0])
    return {
        "task": task,
        "solver": solver,
        "name": _name(label, measure, value, seed),
        "cell": cell.path,
        "score": score,
        "own": value,
        "seeds": trained,
        "left": len(runs) - len(trained),
        "flow": _number(kept[kept["test_solver"] == REFERENCE][score].mean()),
        "plane": _plane(explored) if "box" in explored else None,
        "tests": list(_tests(kept, score, trained, explored)),
    }


def _name(label: str, measure: str, value: float, seed: int | None) -> str:
    setting = setting_text(**{measure: value})
    return setting if seed is None else f"{label}, seed {seed}: {setting}"


def _tests(
    rows: pd.DataFrame, score: str, seeds: Sequence[int], explored: Arrays
) -> Iterator[dict[str, Any]]:
    """For every test solver its settings, from coarse to fine, and the score of every seed."""
    tests = rows[rows["test_solver"] != REFERENCE]
    for (solver, alone), group in tests.groupby(["test_solver", tests["control"] == SAMPLE]):
        measure = "tolerance" if group["test_tolerance"].notna().any() else "steps"
        by_seed = group[group[f"test_{measure}"].notna()].pivot_table(
            index=f"test_{measure}", columns="seed", values=score, dropna=False, aggfunc="first"
        )
        by_seed = by_seed.reindex(columns=[*seeds]).sort_index(ascending=measure == "steps")
        names = [_setting(str(solver), measure, value) for value in by_seed.index]
        yield {
            "solver": solver,
            "alone": bool(alone),
            "measure": measure,
            "values": [float(value) for value in by_seed.index],
            "scores": [[_number(value) for value in row] for row in by_seed.to_numpy()],
            "paths": [None if alone else _paths(explored, name) for name in names],
        }


def _setting(solver: str, measure: str, value: float) -> str:
    """A test setting as `explore` names it."""
    steps, tolerance = (value, np.nan) if measure == "steps" else (np.nan, value)
    return f"{solver} {setting_label(steps, tolerance)}"


def _number(value: float) -> float | None:
    """A number as JSON has it; none where it is not finite."""
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def _plane(explored: Arrays) -> dict[str, Any]:
    return {
        "seed": int(explored["seed"][0]),
        "targets": explored["targets"].tolist(),
        "box": [float(f"{end:.2g}") for end in explored["box"]],
        "regions": _runs(explored["regions"]) if "regions" in explored else None,
    }


def _paths(explored: Arrays, name: str) -> dict[str, Any] | None:
    """Trajectories under a test setting; none where there are none."""
    paths, classes = explored.get(f"paths {name}"), explored.get(f"classes {name}")
    if paths is None:
        return None
    return {
        "points": paths.shape[1],
        "places": _packed(paths, explored["box"]),
        "classes": None if classes is None else classes.tolist(),
    }


def _packed(paths: np.ndarray, box: np.ndarray) -> str:
    """Coordinates of points, one trajectory after the other, as 16-bit numbers in base 64."""
    ordered, low, high = paths.transpose(1, 0, 2).astype(np.float64), box[[0, 2]], box[[1, 3]]
    # From the middle of the frame, in halves of its width. What is too far keeps its direction.
    finite = np.where(np.isfinite(ordered), ordered, np.nan)
    place = (2 * finite - low - high) / (high - low)
    far = np.abs(place).max(axis=2, keepdims=True) / FARTHEST
    share = place / np.maximum(far, 1) / (2 * FARTHEST) + 0.5
    levels = np.where(np.isnan(share), 0, np.clip(np.round(share * LEVELS), 1, LEVELS))
    return base64.b64encode(levels.astype("<u2").tobytes()).decode()


def _runs(regions: np.ndarray) -> str:
    """Rows of classes from the bottom, as lengths of runs: `40a24b`; `a` is class 0, `-` none."""
    return "/".join(
        "".join(f"{len(list(run))}{'-' if c < 0 else chr(97 + c % 26)}" for c, run in groupby(row))
        for row in regions
    )


FORM = """<form class="choices">
<label>task <select id="explore-task"></select></label>
<label>trained with <select id="explore-solver"></select></label>
<label>setting <select id="explore-setting"></select></label>
<label>tested with <select id="explore-test"></select></label>
</form>
<p class="slider"><label for="explore-step">test step: coarse</label>
<input id="explore-step" type="range" min="0" step="1"> <span aria-hidden="true">fine</span></p>
<p id="explore-told" class="told"></p>
<div class="panes">
<figure><svg id="explore-curve" role="img" viewBox="0 0 420 320"></svg>
<figcaption id="explore-curve-told"></figcaption></figure>
<figure id="explore-flow"><svg id="explore-plane" role="img" viewBox="0 0 320 320"></svg>
<figcaption id="explore-plane-told"></figcaption></figure>
</div>
<noscript><p>The explorer needs JavaScript; the rest can be read without it.</p></noscript>
"""
