import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from defined import written_table
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from solverproof.errors import InputError
from solverproof.evaluation.critical import Critical
from solverproof.evaluation.rows import Evaluation, Run
from solverproof.evaluation.validity import Drop
from solverproof.files import columns, read_arrays, write_arrays
from solverproof.ode.solvers import SOLVERS
from solverproof.reporting.comparison import Comparison
from solverproof.reporting.figures import (
    accuracy,
    adaptation,
    animation,
    collapse,
    cost,
    growth,
    regions,
    trajectories,
)
from solverproof.reporting.figures.cost import LINE, spaced
from solverproof.reporting.figures.drawing import draw
from solverproof.reporting.figures.style import STYLES, style_of, styled
from solverproof.reporting.published import BRACKETS, TABLE
from solverproof.reporting.reading import read_csv
from solverproof.reporting.specifications import (
    AccuracySpec,
    AdaptationSpec,
    CollapseSpec,
    CostSpec,
    FlowSpec,
    NoSpec,
)
from solverproof.training.controllers.base import Check
from solverproof.training.controllers.probing import Probe

TRAINED = {"euler": [2, 4], "rk4": [4], "dopri5": [0.1, 0.01]}
ACCURACY = {"task": "toy", "solvers": ["euler", "rk4", "dopri5"], "chance": 0.5}
FLOW = {"task": "toy", "solver": "euler", "fine": 4, "coarse": 2, "chance": 0.5}
CRITICAL = {
    "task": "toy", "train_solver": "euler", "measure": "drop",
    "invalid_steps": 2, "valid_steps": 4, "invalid_tolerance": math.nan,
    "valid_tolerance": math.nan, "critical_steps": 3, "critical_steps_low": 2.5,
    "critical_steps_high": math.inf,
}  # fmt: skip


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


def drops_beside(evaluations, untrained=()):
    """A table of drops in which some (seed, setting) did not train."""
    runs = read_csv(evaluations)[columns(Run)].drop_duplicates()
    value = runs["train_steps"].fillna(runs["train_tolerance"])
    chosen = [pair in untrained for pair in zip(runs["seed"], value, strict=True)]
    runs["status"] = np.where(chosen, "untrained", "ok")
    runs.reindex(columns=columns(Drop)).to_csv(evaluations.with_name("drops.csv"), index=False)
    return evaluations.with_name("drops.csv")


def critical_steps(path, *rows):
    table = pd.DataFrame([CRITICAL | row for row in rows], columns=columns(Critical))
    table.to_csv(path, index=False)
    return path


def trace(path, spoilt=0, train_steps=2):
    """A trace of twelve samples, the first of which end in numbers that are not finite."""
    ends = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    ends[:spoilt] = (math.nan, -math.inf)
    starts, labels = np.zeros_like(ends), np.arange(12) % 2
    predicted = labels.copy()
    predicted[:3] = 1 - labels[:3]
    arrays = {
        "steps": train_steps * np.array([1, 2]),
        "starts": starts,
        "ends": np.stack([ends, ends + 1]),
        "predicted": np.stack([labels, predicted]),
        "labels": labels,
        "trajectories_0": np.stack([starts, ends]),
        "trajectories_1": np.stack([starts, ends, ends + 1]),
        "shown": np.arange(12),
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


def test_outputs_on_their_regions_say_how_many_are_right(tmp_path):
    spec = FlowSpec.from_json(FLOW)
    training, half = figure_of(regions, spec, trace(tmp_path / "trace.safetensors")).axes
    assert training.get_title(loc="left").endswith("(as in training): 100 % right")
    assert half.get_title(loc="left").endswith("(half the training step): 75 % right")


@pytest.mark.parametrize("spoilt", [0, 1, 12])
@pytest.mark.parametrize("accuracy", [0.5, math.nan])
def test_every_figure_of_a_study_is_drawn_whatever_failed(tmp_path, accuracy, spoilt):
    table = evaluations(tmp_path / "evaluations.csv", TRAINED, accuracy)
    drops, critical = drops_beside(table), critical_steps(tmp_path / "critical_steps.csv")
    traced = trace(tmp_path / "trace.safetensors", spoilt)
    for name, spec, inputs in (
        ("trajectories", FLOW, [traced, traced, table, drops]),
        ("regions", FLOW, [traced]),
        ("accuracy", ACCURACY, [table, drops, critical]),
    ):
        draw(name, spec, inputs, [tmp_path / f"{name}.png"])
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    draw("animation", FLOW, [traced, traced], [tmp_path / "animation.gif"])
    assert (tmp_path / "animation.gif").read_bytes().startswith(b"GIF89a")


@pytest.mark.parametrize("name", ["NA", "null"])
def test_a_task_or_a_controller_may_be_called_what_elsewhere_means_nothing(tmp_path, name):
    table = evaluations(tmp_path / "evaluations.csv", {"euler": [2]})
    own = pd.read_csv(table).assign(task=name)
    controlled = own.assign(controller=name, train_steps=8, accuracy=0.1)
    pd.concat([own, controlled]).to_csv(table, index=False)
    found = critical_steps(tmp_path / "critical_steps.csv", {"task": name})
    spec = AccuracySpec.from_json({**ACCURACY, "task": name, "solvers": ["euler"]})
    drawn = figure_of(accuracy, spec, table, drops_beside(table), found)
    assert shown_at(drawn, 4) == {50}
    assert len(drawn.axes) == 1


OF_TABLES = [
    ("accuracy", ACCURACY, 3),
    ("adaptation", {"task": "toy", "solver": "euler"}, 3),
    ("collapse", {"task": "toy", "solvers": ["euler"], "threshold": 0.1}, 2),
    ("cost", {"task": "toy", "ways": {}}, 2),
    ("criteria", {}, 2),
    ("growth", {}, 2),
]


@pytest.mark.parametrize(("name", "spec", "inputs"), [*OF_TABLES, ("memory", {}, 1)])
def test_a_damaged_table_is_told_in_one_line_by_every_figure(tmp_path, name, spec, inputs):
    table = tmp_path / "table.csv"
    table.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"table\.csv: damaged, or of another kind"):
        draw(name, spec, [table] * inputs, [tmp_path / "figure.png"])


@pytest.mark.parametrize(("name", "spec", "inputs"), OF_TABLES)
def test_a_table_of_something_else_is_told_in_one_line(tmp_path, name, spec, inputs):
    table = tmp_path / "table.csv"
    table.write_text("task,a\ntoy,1\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"table\.csv: it has no column "):
        draw(name, spec, [table] * inputs, [tmp_path / "figure.png"])


@pytest.mark.parametrize(
    ("name", "spec", "traces", "inputs"),
    [
        ("accuracy", ACCURACY, 0, ["evaluations", "drops", "critical_steps"]),
        ("collapse", {"solvers": ["euler"], "threshold": 0.1}, 0, ["drops", "critical_steps"]),
        ("cost", {"ways": {}}, 0, ["drops", "comparison"]),
        ("trajectories", FLOW, 2, ["evaluations", "drops"]),
    ],
)
def test_a_task_that_the_tables_do_not_have_yet_is_told_in_one_line(
    tmp_path, name, spec, traces, inputs
):
    drops_beside(evaluations(tmp_path / "evaluations.csv", {"euler": [2]}))
    critical_steps(tmp_path / "critical_steps.csv", {})
    written_table(tmp_path / "comparison.csv", Comparison, [])
    traced = [trace(tmp_path / "trace.safetensors")] * traces
    tables = [tmp_path / f"{table}.csv" for table in inputs]
    told = "no row of the task added; have the tables made anew: --forcerun tabulate"
    with pytest.raises(InputError, match=rf"{inputs[0]}\.csv: {told}$"):
        draw(name, {**spec, "task": "added"}, [*traced, *tables], [tmp_path / "figure.png"])


def test_no_two_solvers_share_a_colour_or_a_marker():
    for looks in ({style.color for style in STYLES.values()}, {s.marker for s in STYLES.values()}):
        assert len(looks) == len(STYLES)
    own = style_of("mine")
    assert own.color not in {style.color for style in STYLES.values()}
    assert own.marker not in {style.marker for style in STYLES.values()}


def test_both_models_are_seen_in_one_frame_which_tells_what_leaves_it(tmp_path):
    table = evaluations(tmp_path / "evaluations.csv", {"euler": [2, 4]})
    near, far = trace(tmp_path / "near.safetensors"), tmp_path / "far.safetensors"
    arrays = read_arrays(near)
    arrays["trajectories_0"][1, 0] = math.inf
    write_arrays(far, arrays)
    spec = FlowSpec.from_json(FLOW)
    drawn = figure_of(trajectories, spec, near, far, table, drops_beside(table))
    coarse, fine = drawn.axes[1:3]
    assert coarse.get_xlim() == fine.get_xlim()
    assert coarse.get_ylim() == fine.get_ylim()
    assert [text.get_text() for text in coarse.texts] == ["1 of 12 leave the frame"]
    assert not fine.texts


def test_the_film_counts_the_accuracy_along_while_the_step_shrinks(tmp_path):
    coarse = trace(tmp_path / "coarse.safetensors")
    fine = trace(tmp_path / "fine.safetensors", train_steps=4)
    film = figure_of(animation, FlowSpec.from_json(FLOW), fine, coarse)
    told = [[ax.get_title() for ax in frame.axes[:2]] for frame in film.frames]
    assert told == [
        [f"trained with {n} Euler steps\ntested with {n * finer}: {right} % right" for n in (2, 4)]
        for finer, right in ((1, "100.0"), (2, "75.0"))
    ]


def accuracy_figure(table, untrained=(), solvers=("euler",), critical=()):
    spec = AccuracySpec.from_json({**ACCURACY, "solvers": list(solvers)})
    found = critical_steps(table.with_name("critical_steps.csv"), *critical)
    return figure_of(accuracy, spec, table, drops_beside(table, untrained), found)


@pytest.mark.parametrize(
    ("value", "untrained", "note"),
    [
        (0.5, [], ""),
        (math.nan, [], "2 failed of 2"),
        (0.5, [(0, 2)], "1 untrained of 2"),
    ],
)
def test_figures_count_the_runs_that_failed_or_did_not_train(tmp_path, value, untrained, note):
    table = evaluations(tmp_path / "evaluations.csv", {"euler": [2, 4]}, value)
    drawn = accuracy_figure(table, untrained)
    assert drawn.axes[0].get_xlabel() == note


def test_a_panel_says_whether_its_setting_is_valid_and_the_row_where_it_becomes_so(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(BRACKETS, ("toy", "euler"), (8, 16))
    table = evaluations(tmp_path / "evaluations.csv", {"euler": [2, 4]})
    coarse, fine = accuracy_figure(table, critical=[{}]).axes
    assert coarse.get_title() == "\n\n$N$ = 2\ninvalid"
    assert fine.get_title() == "\n\n$N$ = 4\nvalid"
    assert coarse.get_facecolor() != fine.get_facecolor()
    heading = "trained with Euler\ncritical steps: 2–4 (the paper's: 8–16)"
    assert heading in [text.get_text() for text in coarse.texts]


def test_no_panel_is_empty_and_no_row_too_long(tmp_path):
    trained = {"euler": [2**i for i in range(10)], "rk4": [4], "dopri5": [0.1, 0.01]}
    table = evaluations(tmp_path / "evaluations.csv", trained)
    drawn = accuracy_figure(table, solvers=trained)
    assert len(drawn.axes) == 13
    assert all(ax.lines for ax in drawn.axes)
    columns = {ax.get_subplotspec().colspan.start for ax in drawn.axes}
    assert len(columns) == accuracy.WIDEST


@pytest.mark.parametrize(("value", "limits"), [(0.99, (40, 100)), (1.0, (40, 100)), (0.1, (0, 50))])
def test_accuracies_are_drawn_on_half_of_0_to_100_percent_at_least(tmp_path, value, limits):
    table = evaluations(tmp_path / "evaluations.csv", {"euler": [2]}, value)
    assert accuracy_figure(table).axes[0].get_ylim() == limits


def shown_at(figure, place):
    """The accuracies that lines have at a test setting, as a multiple of that of training."""
    lines = figure.axes[0].lines
    found = [dict(zip(line.get_xdata(), line.get_ydata(), strict=True)) for line in lines]
    return {round(line[place], 6) for line in found if place in line}


def test_runs_that_did_not_train_are_not_averaged(tmp_path):
    table = evaluations(tmp_path / "evaluations.csv", {"euler": [2]})
    rows = pd.read_csv(table)
    rows.loc[rows["seed"] == 1, "accuracy"] = 0.1
    rows.to_csv(table, index=False)
    assert shown_at(accuracy_figure(table), 4) == {30}
    assert shown_at(accuracy_figure(table, [(1, 2)]), 4) == {50}


def test_samples_that_are_solved_alone_have_a_line_of_their_own(tmp_path):
    table = evaluations(tmp_path / "evaluations.csv", {"dopri5": [0.1]})
    together = pd.read_csv(table).assign(control="batch")
    alone = together.assign(control="sample", accuracy=0.25)
    pd.concat([together, alone]).to_csv(table, index=False)
    drawn = accuracy_figure(table, solvers=["dopri5"])
    assert shown_at(drawn, 0.25) == {25, 50}
    dashed = [line for line in drawn.axes[0].lines if line.get_linestyle() == "--"]
    assert [set(line.get_ydata()) for line in dashed] == [{25.0}]


def test_the_flow_stands_beyond_the_finest_test_setting(tmp_path):
    table = evaluations(tmp_path / "evaluations.csv", {"euler": [2]})
    own = pd.read_csv(table)
    flow = own[own["test_steps"] == 2].assign(test_solver="reference", accuracy=0.75)
    pd.concat([own, flow.assign(test_steps=math.nan)]).to_csv(table, index=False)
    drawn = accuracy_figure(table)
    (star,) = [line for line in drawn.axes[0].lines if line.get_marker() == "*"]
    assert star.get_ydata() == [75]
    assert star.get_xdata()[0] > 4
    assert drawn.axes[0].get_xticklabels()[-1].get_text() == "ODE"


def collapse_figure(
    tmp_path, accuracies, critical, *, score="accuracy", status="ok", solvers=("euler",)
):
    """Two seeds with settings of these own and flow's scores; `critical` changes CRITICAL."""
    rows = [
        {"task": "toy", "train_solver": solver, "train_steps": steps, "controller": math.nan}
        | {"seed": seed, "accuracy": math.nan, "error": math.nan, "status": status}
        | {score: own, f"{score}_reference": flow + (0.02 if seed else -0.02)}
        for solver in solvers
        for steps, (own, flow) in accuracies.items()
        for seed in (0, 1)
    ]
    drops = tmp_path / "drops.csv"
    pd.DataFrame(rows).assign(drop=0.4, disagreement=0.3).to_csv(drops, index=False)
    found = critical_steps(
        tmp_path / "critical_steps.csv",
        *([] if critical is None else [critical | {"train_solver": each} for each in solvers]),
    )
    chance = 0.5 if score == "accuracy" else None
    spec = CollapseSpec(task="toy", solvers=solvers, threshold=0.1, chance=chance)
    return figure_of(collapse, spec, drops, found)


def key(figure):
    """What the key of the last panel names."""
    return [text.get_text() for text in figure.axes[-1].get_legend().get_texts()]


def test_the_collapse_shows_what_models_reach_with_their_solver_and_as_odes(tmp_path):
    drawn = collapse_figure(tmp_path, {2: (0.9, 0.5), 4: (0.8, 0.7)}, {})
    own, flow = drawn.axes[0].lines[:2]
    assert dict(zip(own.get_xdata(), own.get_ydata(), strict=True)) == {2: 90, 4: 80}
    assert flow.get_ydata() == pytest.approx([50, 70])
    names = [name.get_text() for name in drawn.axes[0].get_legend().get_texts()]
    assert names == ["with its own solver", "as an ODE"]
    assert "guess" in texts(drawn)
    for ax in drawn.axes:
        (stripe,) = ax.patches
        assert (stripe.get_x(), stripe.get_width()) == (2, 2)


def test_below_the_collapse_stand_drop_and_disagreement_with_the_drop_that_is_accepted(tmp_path):
    drawn = collapse_figure(tmp_path, {2: (0.9, 0.5), 4: (0.8, 0.7)}, {})
    values = {line.get_label(): set(line.get_ydata()) for line in drawn.axes[1].lines}
    assert values == {
        "drop under finer solvers": {40.0},
        "predictions unlike the flow's": {30.0},
        "drop that is accepted: 10": {10.0},
    }
    assert set(values) < set(key(drawn))
    assert "critical bracket: 2–4 steps; estimate 3 (2.5 to open)" in key(drawn)


def test_the_published_bracket_is_drawn_where_there_is_one(tmp_path, monkeypatch):
    monkeypatch.setitem(BRACKETS, ("toy", "euler"), (8, 16))
    drawn = collapse_figure(tmp_path, {2: (0.9, 0.5), 16: (0.8, 0.7)}, {})
    assert "critical bracket of the paper: 8–16" in key(drawn)
    assert [patch.get_width() for patch in drawn.axes[1].patches if patch.get_hatch()] == [8]


def test_the_published_bracket_is_named_where_it_lies_beyond_the_settings(tmp_path, monkeypatch):
    monkeypatch.setitem(BRACKETS, ("toy", "euler"), (64, 128))
    drawn = collapse_figure(tmp_path, {2: (0.9, 0.5), 16: (0.8, 0.7)}, {})
    assert "critical bracket of the paper: 64–128" in key(drawn)
    assert not [patch for patch in drawn.axes[1].patches if patch.get_hatch()]
    assert drawn.axes[1].get_xlim()[1] < 32


FALLING = {2: (0.99, 0.58), 4: (0.99, 0.52), 8: (0.99, 0.51), 16: (0.99, 0.6), 32: (0.99, 0.97)}
RISING = {2: (0.99, 0.55), 4: (0.99, 0.74), 8: (0.99, 0.9)}
EQUAL = {2: (0.97, 0.97), 4: (0.98, 0.98)}


@pytest.mark.parametrize("accuracies", [FALLING, RISING, EQUAL, {64: (0.99, 0.87)}])
def test_the_names_of_lines_lie_in_their_panel_and_hide_no_line(tmp_path, accuracies):
    drawn = collapse_figure(tmp_path, accuracies, {}, solvers=("euler", "midpoint", "rk4"))
    FigureCanvasAgg(drawn).draw()
    for ax in drawn.axes[:3]:
        names = ax.get_legend()
        assert [name.get_text() for name in names.get_texts()] == [
            "with its own solver",
            "as an ODE",
        ]
        box = names.get_window_extent()
        assert ax.bbox.x0 < box.x0 < box.x1 < ax.bbox.x1
        assert ax.bbox.y0 < box.y0 < box.y1 < ax.bbox.y1
        for line in ax.lines[:2]:
            points = ax.transData.transform(line.get_xydata())
            between = [np.linspace(*ends, 99) for ends in pairwise(points)]
            assert not box.count_contains(np.concatenate([points, *between]))


@pytest.mark.parametrize(
    ("critical", "told"),
    [
        ({"valid_steps": math.nan, "invalid_steps": 4, "critical_steps": math.nan},
         "critical bracket: no setting valid (finest: 4 steps)"),
        ({"invalid_steps": math.nan, "valid_steps": 2, "critical_steps": math.nan},
         "critical bracket: all valid (coarsest: 2 steps)"),
    ],
)  # fmt: skip
def test_on_which_side_of_all_settings_the_critical_step_lies_is_told(tmp_path, critical, told):
    drawn = collapse_figure(tmp_path, {2: (0.9, 0.5), 4: (0.8, 0.7)}, critical)
    assert told in key(drawn)
    assert not drawn.axes[0].patches


def test_keys_of_three_solvers_keep_clear_of_each_other_and_of_the_edge(tmp_path):
    never = {"valid_steps": math.nan, "invalid_steps": 4, "critical_steps": math.nan}
    solvers = ("euler", "midpoint", "rk4")
    drawn = collapse_figure(tmp_path, {2: (0.9, 0.5), 4: (0.8, 0.7)}, never, solvers=solvers)
    FigureCanvasAgg(drawn).draw()
    keys = [ax.get_legend().get_window_extent() for ax in drawn.axes[3:]]
    assert len(keys) == 3
    assert not any(one.overlaps(other) for one, other in pairwise(keys))
    assert keys[-1].x1 <= drawn.bbox.x1
    assert keys[0].y0 >= drawn.bbox.y0


def test_a_study_of_one_setting_or_of_runs_that_did_not_train_is_drawn(tmp_path):
    assert collapse_figure(tmp_path, {4: (0.9, 0.5)}, None).axes[0].lines
    untrained = collapse_figure(tmp_path, {2: (0.9, 0.5)}, None, status="untrained")
    title = untrained.axes[0].get_title(loc="left")
    assert title == "(a) trained with Euler, 2 untrained of 2"


def test_of_real_values_errors_collapse_upwards(tmp_path):
    drawn = collapse_figure(tmp_path, {2: (0.1, 0.9), 4: (0.1, 0.2)}, {}, score="error")
    assert drawn.axes[0].get_yscale() == "log"
    _, flow = drawn.axes[0].lines[:2]
    assert flow.get_ydata() == pytest.approx([0.9, 0.2])
    assert len(drawn.axes) == 1


STAGES = {"euler": 1, "rk4": 4, "dopri5": 6}


WAYS = ("mine", "other")


def cost_figure(tmp_path, runs, compared, score="accuracy", chance=None):
    """Runs are (solver, steps, controller, seed, unlike, flow's score, status).

    A method of those compared is a controller, or a number, whose runs have none and that many
    steps; of Dopri5 it is a tolerance, and here its evaluations as well.
    """
    names = ["train_solver", "train_steps", "controller", "seed", "disagreement"]
    table = pd.DataFrame(runs, columns=[*names, f"{score}_reference", "status"])
    adaptive = table["train_solver"] == "dopri5"
    nfe = table["train_steps"] * table["train_solver"].map(STAGES)
    table["train_tolerance"] = table["train_steps"].where(adaptive)
    table["train_steps"] = table["train_steps"].mask(adaptive)
    scores = {"accuracy": math.nan, "error": math.nan} | {score: 0.9}
    table.assign(task="toy", nfe=nfe, **scores).to_csv(tmp_path / "drops.csv", index=False)
    nfe = ["nfe_monitored", "nfe_monitored_low", "nfe_monitored_high"]
    rows = pd.DataFrame(compared, columns=["train_solver", "method", *nfe]).assign(task="toy")
    value = pd.to_numeric(rows["method"], errors="coerce")
    adaptive = rows["train_solver"] == "dopri5"
    rows["train_steps"], rows["train_tolerance"] = value.mask(adaptive), value.where(adaptive)
    rows.to_csv(tmp_path / "comparison.csv", index=False)
    ways = {"mine": "set-point", "more": "set-point", "other": "random steps"}
    spec = CostSpec(task="toy", ways={"euler": ways, "rk4": ways}, chance=chance)
    return figure_of(cost, spec, tmp_path / "drops.csv", tmp_path / "comparison.csv")


def drawn_points(ax):
    return [
        list(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in ax.lines
        if line.get_marker() in "o^v" and len(line.get_xdata())
    ]


def test_what_a_way_costs_is_drawn_against_what_its_models_do_as_odes(tmp_path):
    runs = [
        ("euler", steps, None, seed, 1 / steps + 0.02 * seed, 0.9 - 0.1 * seed, "ok")
        for steps in (2, 8)
        for seed in (0, 1)
    ]
    runs += [("rk4", steps, "mine", steps, 0.0, 0.98, "ok") for steps in (2, 4)]
    runs += [
        ("rk4", 9, "mine", 9, 0.5, 0.2, "untrained"),
        ("rk4", 9, "other", 0, 0, 0, "untrained"),
    ]
    compared = [("rk4", "mine", 14.5, 12, 17), ("rk4", "other", 5, 4, 6)]
    drawn = cost_figure(tmp_path, runs, compared, chance=0.1)
    unlike, flow, deployed = (drawn_points(ax) for ax in drawn.axes)
    assert unlike == [[(2, pytest.approx(51)), (8, pytest.approx(13.5))], [(14.5, 0)]]
    assert flow == [[(2, pytest.approx(85)), (8, pytest.approx(85))], [(14.5, pytest.approx(98))]]
    assert deployed == [[(14.5, 12)]]  # three steps of four stages
    (fixed,) = (line for line in drawn.axes[2].lines if line.get_marker() == "None")
    assert [*fixed.get_xdata()] == [*fixed.get_ydata()] == [2, 14.5]
    assert {"fixed step", "set-point"} <= set(texts(drawn))
    named = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert {"fixed step", "set-point", "95 % interval", "accepted by an audit"} < set(named)
    assert "random steps" not in {*texts(drawn), *named}  # no model of it has trained


def test_steps_with_a_penalty_stand_where_their_iterations_do_and_beside_the_line(tmp_path):
    runs = [("rk4", steps, None, 0, 0.1, 0.9, "ok") for steps in (2, 4)]
    drawn = cost_figure(tmp_path, runs, [("rk4", "2", 12, 12, 12), ("rk4", "4", 24, 24, 24)])
    unlike, _, deployed = (drawn_points(ax) for ax in drawn.axes)
    assert [x for line in unlike for x, _ in line] == [12, 24]
    assert deployed == [[(12, 8), (24, 16)]]


def test_names_stand_right_of_the_panel_in_the_order_in_which_their_lines_end(tmp_path):
    runs = [("rk4", 2, "mine", 0, 0.1, 0.9, "ok"), ("rk4", 9, "more", 0, 0.1, 0.9, "ok")]
    runs += [("rk4", 4, "other", 0, 0.1, 0.9, "ok"), ("euler", 64, None, 0, 0.1, 0.9, "ok")]
    compared = [("rk4", "mine", 9, 9, 9), ("rk4", "more", 20, 20, 20), ("rk4", "other", 30, 30, 30)]
    names = cost_figure(tmp_path, runs, compared).axes[2].texts
    assert [name.get_text() for name in names] == ["random steps", "set-point", "fixed step"]
    assert all(name.xy[0] == 1 and name.xycoords == "axes fraction" for name in names)
    heights = [name.xy[1] for name in names]
    assert heights == sorted(heights)


def test_a_line_connects_what_differs_in_one_setting_alone(tmp_path):
    runs = [("rk4", n, way, 0, 0.1, 0.9, "ok") for n, way in ((2, "mine"), (3, "more"), (5, "own"))]
    runs += [("euler", 2, "mine", 0, 0.1, 0.9, "ok")]
    runs += [("dopri5", tolerance, None, 0, 0.2, 0.8, "ok") for tolerance in (0.25, 0.5)]
    compared = [("rk4", "more", 9, 9, 9), ("rk4", "mine", 6, 6, 6), ("euler", "mine", 3, 3, 3)]
    compared += [("dopri5", "0.5", 20, 20, 20), ("dopri5", "0.25", 30, 30, 30)]
    drawn = cost_figure(tmp_path, runs, compared, chance=0.5)
    deployed = drawn_points(drawn.axes[2])
    assert sorted(deployed) == [[(3, 2)], [(6, 8), (9, 12)], [(20, 3), (30, 1.5)]]
    assert sorted(text.get_text() for text in drawn.axes[2].texts) == [
        "fixed step", "set-point", "set-point", "tolerances",
    ]  # fmt: skip
    lines = [line for line in drawn.axes[2].lines if len(line.get_xdata()) == 2]
    assert {line.get_linestyle() for line in lines} == {"-"}


def test_names_of_ways_that_cost_the_same_do_not_stand_over_each_other(tmp_path):
    runs = [("euler", 4, way, seed, 0.1, 0.9, "ok") for way in ("mine", "other") for seed in (0, 1)]
    for costs in ((8, 8), (2, 32)):
        compared = [
            ("euler", way, n, n, n) for way, n in zip(("mine", "other"), costs, strict=True)
        ]
        deployed = cost_figure(tmp_path, runs, compared, chance=0.5).axes[2]
        heights = {text.get_text(): text.xy[1] for text in deployed.texts}
        apart = heights["random steps"] - heights["set-point"]
        assert apart == pytest.approx(LINE, abs=1e-9)


@given(st.lists(st.floats(0, 1), max_size=12).map(sorted))
def test_heights_of_names_are_a_line_apart_and_in_the_panel(wanted):
    places = spaced(wanted)
    assert all(b - a >= LINE - 1e-9 for a, b in pairwise(places))
    assert all(place <= 1 - LINE / 2 for place in places)
    if all(b - a >= LINE for a, b in pairwise(wanted)) and max(wanted, default=0) < 0.9:
        assert places == wanted


def test_small_differences_between_ways_do_not_fill_the_panel(tmp_path):
    runs = [("euler", 4, "mine", seed, 0.1, 0.90 + 0.01 * seed, "ok") for seed in (0, 1)]
    flow = cost_figure(tmp_path, runs, [("euler", "mine", 8, 7, 9)], chance=0.5).axes[1]
    assert flow.get_ylim() == (40, 100)
    assert "guess" in [text.get_text() for text in flow.texts]


@pytest.mark.parametrize("costs", [(50, 110), (20, 25), (2, 64)])
def test_two_numbers_at_least_tell_the_scale_of_evaluations(tmp_path, costs):
    runs = [("euler", n, way, 0, 0.1, 0.9, "ok") for n, way in zip(costs, WAYS, strict=True)]
    compared = [("euler", way, n, n, n) for n, way in zip(costs, WAYS, strict=True)]
    deployed = cost_figure(tmp_path, runs, compared, chance=0.5).axes[2]
    low, high = deployed.get_ylim()
    assert sum(low <= 2**power <= high for power in range(10)) >= 2
    assert low <= costs[0]
    assert costs[1] <= high


def test_a_study_none_of_whose_models_trained_has_empty_panels(tmp_path):
    runs = [("euler", 4, None, seed, 0.1, 0.1, "untrained") for seed in (0, 1)]
    drawn = cost_figure(tmp_path, runs, [], chance=0.5)
    assert [drawn_points(ax) for ax in drawn.axes] == [[], [], []]


def test_of_real_values_the_cost_is_drawn_against_errors(tmp_path):
    runs = [("euler", 2, "mine", seed, 0.1, 0.25, "ok") for seed in (0, 1)]
    drawn = cost_figure(tmp_path, runs, [("euler", "mine", 3, 2, 4)], score="error")
    assert drawn_points(drawn.axes[1]) == [[(3, 0.25)]]
    assert drawn.axes[1].get_ylabel().startswith("test error")


def growth_figure(tmp_path, critical, least=None):
    """Growth of the finest seeds: 1 and 3, or a task's `least` and 2 above; of the others 7."""
    runs = [
        {"task": task, "train_solver": "euler", "train_steps": steps, "controller": None}
        | {"seed": seed}
        | {"growth_median": 7.0 if steps == 2 else (least or {}).get(task, 1.0) + 2 * seed}
        for task in critical
        for steps in (2, 16)
        for seed in (0, 1)
    ]
    names = ["critical_steps", "critical_steps_low", "critical_steps_high"]
    found = [
        {"task": task, "train_solver": "euler", "controller": None, "criterion": criterion}
        | dict(zip(names, values, strict=True))
        for task, values in critical.items()
        for criterion in ("accuracy", "disagreement")
    ]
    audits, criteria = tmp_path / "audits.csv", tmp_path / "criteria.csv"
    pd.DataFrame(runs).to_csv(audits, index=False)
    pd.DataFrame(found).to_csv(criteria, index=False)
    return figure_of(growth, NoSpec(), audits, criteria)


def marked(ax, marker):
    """Places of a kind of marker."""
    lines = [line for line in ax.lines if line.get_marker() == marker]
    return [(line.get_xdata()[0], line.get_ydata()[0]) for line in lines]


def test_the_critical_step_stands_beside_the_growth_of_the_finest_models(tmp_path):
    critical = {"high": (4, 3, math.inf), "low": (8, 6, 10)}
    growth_axes, steps = growth_figure(tmp_path, critical, {"high": 5.0}).axes
    mark = style_of("euler").marker
    assert marked(growth_axes, mark) == [(6, 1), (2, 0)]
    assert marked(steps, mark) == [(4, 1), (8, 0)]
    assert [tick.get_text() for tick in growth_axes.get_yticklabels()] == ["low", "high"]
    assert marked(steps, ">") == [(steps.get_xlim()[1], 1)]
    assert not marked(steps, "<")


def test_a_task_without_a_critical_step_has_an_arrow_in_its_place(tmp_path):
    growth_axes, steps = growth_figure(tmp_path, {"none": (math.nan, 20, math.inf)}).axes
    assert [tick.get_text() for tick in growth_axes.get_yticklabels()] == ["none"]
    assert marked(steps, ">") == [(steps.get_xlim()[1], 0)]


def adaptation_figure(tmp_path, rows, critical=(), published=None):
    """Of two seeds, each of whose rows is a probe and a check."""
    spec = AdaptationSpec(task="toy", solver="euler", chance=0.5, published=published)
    paths = []
    for kind in (Probe, Check):
        known = [{name: row.get(name) for name in columns(kind)} for row in rows]
        for seed in (0, 1):
            paths.append(tmp_path / f"{kind.__name__}{seed}.csv")
            written_table(paths[-1], kind, [row for row in known if row["seed"] == seed])
    found = critical_steps(tmp_path / "critical_steps.csv", *critical)
    return figure_of(adaptation, spec, found, *paths)


@pytest.mark.parametrize("published", ["adaptation", None])
def test_the_adaptation_is_drawn_beside_the_bracket_of_the_grid_and_what_is_published(
    tmp_path, monkeypatch, published
):
    monkeypatch.setitem(TABLE, ("toy", "euler"), {"adaptation": ("100.5", "")})
    rows = [
        {"iteration": iteration, "seed": seed, "steps": steps, "step_size": 1 / steps}
        | {"role": "deployed", "test_solver": "euler", "accuracy": 0.9 - 0.2 * seed}
        for seed in (0, 1)
        for iteration, steps in ((10, 4 if seed else 16), (20, 8))
    ]
    drawn = adaptation_figure(tmp_path, rows, [{}], published)
    scores, sizes = drawn.axes
    assert scores.get_title(loc="left") == "(a) accuracy, 2 seeds"
    assert scores.lines[0].get_ydata() == pytest.approx([80, 80])
    means = next(line for line in sizes.lines if line.get_label() == "geometric mean")
    assert means.get_ydata() == pytest.approx([8, 8])
    assert "critical bracket of the grid: 2–4 steps" in key(drawn)
    assert ("mean over training in the paper: 100.5" in key(drawn)) == (published is not None)


def test_the_mean_is_over_all_seeds_though_each_has_checks_at_times_of_its_own(tmp_path):
    checked = {0: {10: 4, 30: 16}, 1: {20: 4, 30: 16, 40: 1}}
    rows = [
        {"iteration": iteration, "seed": seed, "steps": steps, "step_size": 1 / steps}
        | {"role": "deployed", "test_solver": "euler", "accuracy": 0.9}
        for seed, found in checked.items()
        for iteration, steps in found.items()
    ]
    lines = {line.get_label(): line for line in adaptation_figure(tmp_path, rows).axes[1].lines}
    assert lines["geometric mean"].get_ydata() == pytest.approx([4, 8, 16, 4])
    # with the step that is checked it was trained until then, and with the last one to the end
    assert [*lines["seed 0 alone"].get_ydata()] == [4, 16, 16, 16]
    assert lines["seed 0 alone"].get_drawstyle() == "steps-pre"


@pytest.mark.parametrize(("decision", "told"), [("passed", "2 seeds"), ("keep", "1 failed")])
def test_a_seed_whose_training_a_test_ended_before_others_has_not_failed(tmp_path, decision, told):
    ends = {0: 20, 1: 10}
    rows = [
        {"iteration": iteration, "seed": seed, "steps": 8, "step_size": 1 / 8, "accuracy": 0.9}
        | {"role": "deployed", "test_solver": "euler", "decision": decision}
        for seed, end in ends.items()
        for iteration in range(10, end + 1, 10)
    ]
    drawn = adaptation_figure(tmp_path, rows)
    assert drawn.axes[0].get_title(loc="left").endswith(told)


def test_the_adaptation_of_seeds_that_all_failed_at_once_is_drawn_empty(tmp_path):
    drawn = adaptation_figure(tmp_path, [])
    assert "no seed" in drawn.axes[0].get_title(loc="left")


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
