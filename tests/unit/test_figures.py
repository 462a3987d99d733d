import math

import numpy as np
import pytest

from solverproof.figures import accuracy, draw, regions
from solverproof.figures.style import styled
from solverproof.files import write_arrays, write_table

FLOW = {"task": "toy", "solver": "euler", "fine": 4, "coarse": 2}


def evaluations(path, status):
    failed = status == "diverged"
    rows = [
        {
            "task": "toy",
            "train_solver": "euler",
            "train_steps": steps,
            "train_tolerance": math.nan,
            "controller": None,
            "seed": seed,
            "test_solver": solver,
            "test_steps": ratio * steps,
            "test_tolerance": math.nan,
            "accuracy": math.nan if failed else 0.5,
            "status": status,
        }
        for steps in (2, 4)
        for seed in (0, 1)
        for solver in ("euler", "rk4")
        for ratio in (1, 2)
    ]
    write_table(path, rows, list(rows[0]))
    return path


def trace(path, spoilt=0):
    """A trace of twelve samples, the first of which end in numbers that are not finite."""
    ends = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    ends[:spoilt] = (math.nan, -math.inf)
    arrays = {
        "trajectories": np.stack([np.zeros_like(ends), ends]),
        "trajectory_labels": np.arange(12) % 2,
        "ends": ends,
        "ends_half": ends + 1,
        "labels": np.arange(12) % 2,
        "regions": np.arange(4).reshape(2, 2) % 3 - 1,
        "box": np.array([-2.0, 2.0, -2.0, 2.0]),
    }
    write_arrays(path, arrays)
    return path


def figure_of(module, *arguments):
    with styled():
        return module.figure(*arguments)


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts]


@pytest.mark.parametrize("spoilt", [1, 12])
def test_regions_tell_how_many_outputs_they_cannot_show(tmp_path, spoilt):
    drawn = figure_of(regions, FLOW, trace(tmp_path / "trace.safetensors", spoilt))
    assert texts(drawn) == 2 * [f"{spoilt} of 12 outputs are not finite"]


def test_regions_of_a_sound_model_carry_no_note(tmp_path):
    assert texts(figure_of(regions, FLOW, trace(tmp_path / "trace.safetensors"))) == []


@pytest.mark.parametrize("spoilt", [0, 1, 12])
@pytest.mark.parametrize("status", ["ok", "diverged"])
def test_every_figure_of_a_study_is_drawn_whatever_failed(tmp_path, status, spoilt):
    table = evaluations(tmp_path / "evaluations.csv", status)
    traced = trace(tmp_path / "trace.safetensors", spoilt)
    inputs = {"trajectories": [traced, traced, table], "regions": [traced], "accuracy": [table]}
    specs = {"accuracy": {"task": "toy", "solvers": ["euler"], "chance": 0.5}}
    for name, files in inputs.items():
        draw(name, specs.get(name, FLOW), files, [tmp_path / f"{name}.png"])
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_figures_count_the_runs_that_failed(tmp_path):
    table = evaluations(tmp_path / "evaluations.csv", "diverged")
    drawn = figure_of(accuracy, {"task": "toy", "solvers": ["euler"], "chance": 0.5}, table)
    assert drawn.axes[0].get_title() == "trained with Euler (4 of 4 runs failed)"


def test_a_training_setting_has_one_colour_in_all_panels(tmp_path):
    table = evaluations(tmp_path / "evaluations.csv", "ok")
    text = table.read_text(encoding="utf-8")
    rk4 = [
        line.replace("toy,euler,", "toy,rk4,") for line in text.splitlines()[1:] if not line.startswith("toy,euler,2")
    ]
    table.write_text("\n".join([*text.splitlines(), *rk4]) + "\n", encoding="utf-8")
    drawn = figure_of(accuracy, {"task": "toy", "solvers": ["euler", "rk4"], "chance": 0.5}, table)
    ours = [{line.get_color() for line in ax.lines} for ax in drawn.axes]
    assert ours[1] < ours[0]
    assert len(ours[0]) - len(ours[1]) == 1


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    traced = trace(tmp_path / "trace.safetensors")
    for folder in ("one", "other"):
        draw("regions", FLOW, [traced], [tmp_path / folder / "figure.pdf", tmp_path / folder / "figure.png"])
    for name in ("figure.pdf", "figure.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
