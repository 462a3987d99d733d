"""The data of the explorer: scores of every model under every test setting, and trajectories."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from solverproof.evaluation.rows import REFERENCE, SAMPLE
from solverproof.evaluation.scores import score_of
from solverproof.evaluation.validity import has_trained
from solverproof.files import read_arrays
from solverproof.reporting.html.wording import number
from solverproof.reporting.study_page.made import Cell, Made

LEVELS = 65535  # of a coordinate; 0 is a number that is not finite
REACH = 1.0  # how far beyond the frame coordinates go, in widths of it, on either side
DIGITS = 4  # of a score


def models(made: Made, explorations: Sequence[Path]) -> list[dict[str, Any]]:
    """What the explorer shows, one entry for each setting, or for each run with a controller.

    Args:
        made: the study.
        explorations: what the rule `explore` computed, `TASK/SOLVER/SETTING/SEEDS.safetensors`.
    """
    planes = dict(map(_plane, explorations))
    evaluations, drops = made.tables["evaluations"], made.tables["drops"]
    shown: dict[tuple[str, Any], list[Cell]] = {}
    for cell in made.cells:
        seed = None if "setting" in cell.run["spec"] else cell.seeds[0]
        shown.setdefault((cell.group, seed), []).append(cell)
    found = []
    for (group, seed), cells in shown.items():
        rows, runs = (table[table["group"] == group] for table in (evaluations, drops))
        if seed is not None:
            rows, runs = rows[rows["seed"] == seed], runs[runs["seed"] == seed]
        plane = next((planes[cell.path] for cell in cells if cell.path in planes), None)
        found.append(_model(cells[0], rows, runs, seed) | {"plane": plane})
    return found


def _model(cell: Cell, rows: pd.DataFrame, runs: pd.DataFrame, seed: int | None) -> dict[str, Any]:
    task, solver, label, _ = cell.path.split("/")
    trained = runs[has_trained(runs)]["seed"]
    kept, score = rows[rows["seed"].isin(trained)], score_of(rows)
    first = runs.iloc[0]
    measure = "tolerance" if pd.notna(first["train_tolerance"]) else "steps"
    value = float(first[f"train_{measure}"])
    return {
        "task": task,
        "solver": solver,
        "name": _name(label, measure, value, seed),
        "cell": cell.path,
        "score": score,
        "own": {"solver": solver, "value": value},
        "seeds": [int(s) for s in trained],
        "left": len(runs) - len(trained),
        "flow": _number(kept[kept["test_solver"] == REFERENCE][score].mean()),
        "tests": list(_tests(kept, score, [int(s) for s in trained])),
    }


def _name(label: str, measure: str, value: float, seed: int | None) -> str:
    setting = f"tolerance {number(value)}" if measure == "tolerance" else f"{number(value)} steps"
    return setting if seed is None else f"{label}, seed {seed}: {setting}"


def _tests(rows: pd.DataFrame, score: str, seeds: Sequence[int]) -> Iterator[dict[str, Any]]:
    """For every test solver its settings, from coarse to fine, and the score of every seed."""
    tests = rows[rows["test_solver"] != REFERENCE]
    for (solver, alone), group in tests.groupby(["test_solver", tests["control"] == SAMPLE]):
        adaptive = group["test_tolerance"].notna().any()
        measure = "test_tolerance" if adaptive else "test_steps"
        by_setting = group.pivot_table(
            index=measure, columns="seed", values=score, dropna=False, aggfunc="first"
        ).reindex(columns=[*seeds])
        by_setting = by_setting.sort_index(ascending=not adaptive)
        yield {
            "solver": solver,
            "alone": bool(alone),
            "measure": measure.removeprefix("test_"),
            "values": [float(value) for value in by_setting.index],
            "scores": [[_number(value) for value in row] for row in by_setting.to_numpy()],
        }


def _number(value: float) -> float | None:
    """A number as JSON has it; none where it is not finite."""
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None


def _plane(file: Path) -> tuple[str, dict[str, Any] | None]:
    """The path of a cell, and its trajectories; none of one that failed."""
    arrays, cell = read_arrays(file), "/".join(file.with_suffix("").parts[-4:])
    if "box" not in arrays:
        return cell, None
    tests = {
        name.removeprefix("paths "): _test(arrays, name)
        for name in arrays
        if name.startswith("paths ")
    }
    return cell, {
        "seed": int(arrays["seed"][0]),
        "box": [float(f"{end:.4g}") for end in arrays["box"]],
        "targets": arrays["targets"].tolist(),
        "regions": _letters(arrays["regions"]) if "regions" in arrays else None,
        "tests": tests,
    }


def _test(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, Any]:
    classes = arrays.get(name.replace("paths ", "classes ", 1))
    return {
        "points": arrays[name].shape[1],
        "paths": _packed(arrays[name], arrays["box"]),
        "classes": None if classes is None else classes.tolist(),
    }


def _packed(paths: np.ndarray, box: np.ndarray) -> str:
    """Coordinates of points, one trajectory after the other, as 16-bit numbers in base 64."""
    low, size = box[[0, 2]], box[[1, 3]] - box[[0, 2]]
    share = ((paths.transpose(1, 0, 2) - low) / size + REACH) / (1 + 2 * REACH)
    levels = np.clip(np.round(share * LEVELS), 1, LEVELS)
    levels = np.where(np.isfinite(paths.transpose(1, 0, 2)), levels, 0)
    return base64.b64encode(levels.astype("<u2").tobytes()).decode()


def _letters(regions: np.ndarray) -> str:
    """Rows of classes from the bottom, a letter each: `a` is class 0, `-` none."""
    return "/".join("".join("-" if c < 0 else chr(97 + c % 26) for c in row) for row in regions)


FORM = """<form class="choices">
<label>task <select id="explore-task"></select></label>
<label>trained with <select id="explore-solver"></select></label>
<label>setting <select id="explore-setting"></select></label>
<label>tested with <select id="explore-test"></select></label>
</form>
<p class="slider"><label for="explore-step">test step: coarse</label>
<input id="explore-step" type="range" min="0" step="1"> <span aria-hidden="true">fine</span></p>
<p id="explore-told" class="told"></p>
<div class="panes"><figure><svg id="explore-curve" role="img" viewBox="0 0 420 320"></svg>
<figcaption id="explore-curve-told"></figcaption></figure>
<figure id="explore-flow"><svg id="explore-plane" role="img" viewBox="0 0 320 320"></svg>
<figcaption id="explore-plane-told"></figcaption></figure></div>
"""
