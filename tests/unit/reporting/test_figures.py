import math

import numpy as np
import pytest
from defined import written_table

from solverproof.evaluation.rows import Evaluation
from solverproof.files import write_arrays, write_table
from solverproof.ode.solvers import SOLVERS
from solverproof.reporting.figures import accuracy, adaptation, regions
from solverproof.reporting.figures.drawing import draw
from solverproof.reporting.figures.style import styled
from solverproof.reporting.specifications import AccuracySpec, AdaptationSpec, FlowSpec
from solverproof.training.controllers.base import Check
from solverproof.training.controllers.probing import Probe

TRAINED = {"euler": [2, 4], "rk4": [4], "dopri5": [0.1, 0.01]}
ACCURACY = {"task": "toy", "solvers": ["euler", "rk4", "dopri5"], "chance": 0.5}
FLOW = {"task": "toy", "solver": "euler", "fine": 4, "coarse": 2}


def evaluations(path, trained, accuracy=0.5):
    """Evaluations of two seeds; `trained` maps solvers to numbers of steps or tolerances."""
    rows = [
        {"task": "toy", "adapted": False, "seed": seed, "accuracy": accuracy, "status": "ok"}
        | {"train_solver": solver, f"train_{SOLVERS[solver].measure}": value}
        | {"test_solver": solver, f"test_{SOLVERS[solver].measure}": ratio * value}
        for solver, valuees in trained.items()
        for value in valuees
        for seed in (0, 1)
        for ratio in (1, 4)
    ]
    written_table(path, Evaluation, rows)
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
    drawn = figure_of(
        regions, FlowSpec.from_json(FLOW), trace(tmp_path / "trace.safetensors", spoilt)
    )
    assert texts(drawn) == 2 * [f"{spoilt} of 12 outputs are not finite"]


def test_regions_of_a_sound_model_carry_no_note(tmp_path):
    assert (
        texts(figure_of(regions, FlowSpec.from_json(FLOW), trace(tmp_path / "trace.safetensors")))
        == []
    )


@pytest.mark.parametrize("spoilt", [0, 1, 12])
@pytest.mark.parametrize("accuracy", [0.5, math.nan])
def test_every_figure_of_a_study_is_drawn_whatever_failed(tmp_path, accuracy, spoilt):
    table = evaluations(tmp_path / "evaluations.csv", TRAINED, accuracy)
    traced = trace(tmp_path / "trace.safetensors", spoilt)
    for name, spec, inputs in (
        ("trajectories", FLOW, [traced, traced, table]),
        ("regions", FLOW, [traced]),
        ("accuracy", ACCURACY, [table]),
    ):
        draw(name, spec, inputs, [tmp_path / f"{name}.png"])
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("value", "note"), [(0.5, ""), (math.nan, ", 4 of 4 failed")])
def test_figures_count_the_runs_that_failed(tmp_path, value, note):
    table = evaluations(tmp_path / "evaluations.csv", {"euler": [2, 4]}, value)
    drawn = figure_of(accuracy, AccuracySpec.from_json({**ACCURACY, "solvers": ["euler"]}), table)
    assert drawn.axes[0].get_title() == f"trained with Euler{note}"


def test_a_training_setting_has_one_colour_in_all_panels(tmp_path):
    drawn = figure_of(
        accuracy,
        AccuracySpec.from_json(ACCURACY),
        evaluations(tmp_path / "evaluations.csv", TRAINED),
    )
    euler, rk4 = (
        {tuple(line.get_xdata()): line.get_color() for line in ax.lines} for ax in drawn.axes[:2]
    )
    assert euler[2, 8] != euler[4, 16]
    assert euler[4, 16] == rk4[4, 16]


def test_the_adaptation_of_seeds_that_all_failed_at_once_is_drawn_empty(tmp_path):
    probes, checks = tmp_path / "probes.csv", tmp_path / "checks.csv"
    write_table(probes, Probe, [])
    write_table(checks, Check, [])
    drawn = figure_of(adaptation, AdaptationSpec("euler"), probes, checks)
    assert "no seed" in drawn.axes[1].get_title(loc="left")


def test_the_same_figure_gives_the_same_bytes(tmp_path):
    traced = trace(tmp_path / "trace.safetensors")
    for folder in ("one", "other"):
        draw(
            "regions",
            FLOW,
            [traced],
            [tmp_path / folder / "figure.pdf", tmp_path / folder / "figure.png"],
        )
    for name in ("figure.pdf", "figure.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
