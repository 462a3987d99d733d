import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solverproof.cells import (
    Cell,
    accuracy_spec,
    canonical,
    cells,
    evaluation_spec,
    flow,
    flow_spec,
    model_spec,
    trace_spec,
    train_spec,
    training_work,
)
from solverproof.config import load
from solverproof.solvers import SOLVERS, steps_at_ratio


@pytest.fixture
def config(study):
    return load(study)


def edited(study, edit):
    changed = copy.deepcopy(study)
    edit(changed)
    return load(changed)


def specs(config):
    """Canonical training and evaluation specification of every cell, by path."""
    return {
        cell.path: (canonical(train_spec(config, cell)), canonical(evaluation_spec(config, cell)))
        for cell in cells(config)
    }


def backwards(value):
    """The same content with the keys of all dicts in reverse order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def test_a_cell_is_one_task_solver_number_of_steps_and_block_of_seeds(config):
    expected = {
        (task, solver, n)
        for task in config["select"]["tasks"]
        for solver in config["select"]["solvers"]
        for n in config["steps"][task].get(solver, [])
    }
    found = cells(config)
    assert {(cell.task, cell.solver, cell.steps) for cell in found} == expected
    assert {cell.seeds for cell in found} == {(0, 1, 2, 3, 4)}


def test_the_path_tells_the_cell():
    assert Cell("sphere2", "euler", 64, (0, 1, 2)).path == "sphere2/euler/steps-64/seeds-0-2"
    assert Cell("sphere2", "euler", 64, (7,)).path == "sphere2/euler/steps-64/seeds-7-7"
    assert Cell("sphere2", "euler", 64, (7,)).setting == "sphere2/euler/steps-64"


blocks = st.permutations(["0-4", 5, "6-6", "10-12", 13])


@given(
    blocks,
    st.sets(st.integers(1, 200), min_size=1, max_size=4),
    st.sets(st.sampled_from(sorted(SOLVERS)), min_size=1),
)
def test_paths_are_unique(seeds, steps, solvers):
    config = {
        "select": {"tasks": ["one", "two"], "solvers": sorted(solvers), "seeds": seeds},
        "steps": {task: {solver: sorted(steps) for solver in solvers} for task in ("one", "two")},
    }
    paths = [cell.path for cell in cells(config)]
    assert len(set(paths)) == len(paths) == 2 * len(solvers) * len(steps) * 5


@pytest.mark.parametrize(
    "add",
    [
        lambda study: study["select"]["seeds"].append("5-9"),
        lambda study: study["select"]["seeds"].insert(0, 5),
        lambda study: study["steps"]["sphere2"]["euler"].append(256),
        lambda study: study["steps"]["digits"]["euler"].insert(0, 3),
        lambda study: study["steps"]["digits"].update(rk4=[4]),
        lambda study: study["select"]["solvers"].append("midpoint") or study["steps"]["digits"].update(midpoint=[4]),
        lambda study: study["select"]["tasks"].append("sphere3") or study["steps"].update(sphere3={"rk4": [4]}),
    ],
    ids=["block after", "block before", "steps after", "steps before", "solver of a task", "solver", "task"],
)
def test_what_is_added_to_a_study_leaves_the_cells_that_were_there_alone(add, study):
    before, after = specs(load(study)), specs(edited(study, add))
    assert len(after) > len(before)
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(
    "change",
    [
        lambda study: study["networks"]["mlp64"].update(widths=[3]),
        lambda study: study["tasks"]["sphere900"]["data"].update(train=8),
        lambda study: study["protocols"].update(other={"iterations": 1, "batch": 1, "learning_rate": 1.0}),
        lambda study: study["figures"].clear(),
        lambda study: study["validity"].update(threshold=0.2),
        lambda study: study.update(results="elsewhere"),
    ],
    ids=["network", "task", "protocol", "figures", "validity", "results"],
)
def test_what_a_cell_does_not_use_is_not_in_its_specifications(change, study):
    assert specs(edited(study, change)) == specs(load(study))


@pytest.mark.parametrize(
    ("change", "changes_training"),
    [
        (lambda study: study["networks"]["conv32"].update(channels=8), True),
        (lambda study: study["protocols"]["paper_spheres"].update(batch=64), True),
        (lambda study: study["tasks"]["sphere2"]["data"].update(seed=1), True),
        (lambda study: study["tasks"]["sphere2"].update(horizon=2.0), True),
        (lambda study: study["tasks"]["sphere2"].update(classes=3), True),
        (lambda study: study["test"].update(ratios=[0.1]), False),
        (lambda study: study["test"]["solvers"].update(euler=["euler"], rk4=["rk4", "euler"]), False),
    ],
    ids=["network", "protocol", "data", "horizon", "classes", "ratios", "test solvers"],
)
def test_what_a_cell_uses_changes_just_the_specifications_that_use_it(change, changes_training, study):
    before, after = specs(load(study)), specs(edited(study, change))
    for path, (train, evaluation) in before.items():
        new_train, new_evaluation = after[path]
        used = path.startswith("sphere2")
        assert (new_train != train) == (changes_training and used)
        if not changes_training and used:
            assert new_evaluation != evaluation


def test_the_order_of_keys_and_numbers_of_steps_changes_no_specification(study):
    reordered = backwards(study)
    for settings in reordered["steps"].values():
        for steps in settings.values():
            steps.reverse()
    reordered["test"]["ratios"].reverse()
    assert specs(load(reordered)) == specs(load(study))
    assert [cell.path for cell in cells(load(reordered))] == [cell.path for cell in cells(load(study))]


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values))
def test_canonical_json_is_the_specification_whatever_the_order_of_its_keys(spec):
    assert json.loads(canonical(spec)) == spec
    assert canonical(backwards(spec)) == canonical(spec)
    assert "\n" not in canonical(spec)


def test_specifications_of_training_hold_what_the_configuration_says(config):
    (cell,) = [cell for cell in cells(config) if cell.path == "digits/euler/steps-8/seeds-0-4"]
    spec = train_spec(config, cell)
    assert spec == {
        "setting": "digits/euler/steps-8",
        "data": {"family": "digits", "test": 360, "seed": 0},
        "model": {"network": {"family": "conv", "channels": 16}, "classes": 10, "horizon": 1.0},
        "protocol": {"iterations": 2000, "batch": 32, "learning_rate": 1e-3, "history_every": 50},
        "solver": "euler",
        "steps": 8,
        "seeds": [0, 1, 2, 3, 4],
    }
    assert spec["model"] == model_spec(config, "digits")


def test_every_cell_is_tested_with_all_ratios_of_all_its_test_solvers_and_its_own_setting(config):
    for cell in cells(config):
        tests = evaluation_spec(config, cell)["tests"]
        solvers = {"euler": ["euler", "midpoint", "rk4"], "rk4": ["rk4"]}[cell.solver]
        steps = {steps_at_ratio(cell.steps, ratio) for ratio in (2, 1.5, 1, 0.75, 0.5, 0.25, 0.125)}
        assert sorted(map(tuple, tests)) == sorted({(solver, n) for solver in solvers for n in steps})
        assert [cell.solver, cell.steps] in tests


def test_the_own_setting_is_tested_even_when_neither_its_ratio_nor_its_solver_is_asked_for(study):
    study["test"] = {"ratios": [0.5], "solvers": {"euler": ["rk4"]}}
    config = load(study)
    for cell in cells(config):
        tests = evaluation_spec(config, cell)["tests"]
        assert [cell.solver, cell.steps] in tests
        other = "rk4"
        assert {(other, cell.steps), (other, 2 * cell.steps)} <= set(map(tuple, tests))


def test_a_solver_without_test_solvers_is_tested_with_itself(study):
    study["test"]["solvers"] = {}
    config = load(study)
    for cell in cells(config):
        assert {solver for solver, _ in evaluation_spec(config, cell)["tests"]} == {cell.solver}


def test_the_flow_names_the_two_cells_that_hold_its_seed(study):
    study["select"]["seeds"] = ["0-4", "5-9"]
    study["figures"]["flow"]["seed"] = 7
    config = load(study)
    chosen = flow(config)
    assert chosen.fine.path == "sphere2/euler/steps-64/seeds-5-9"
    assert chosen.coarse.path == "sphere2/euler/steps-2/seeds-5-9"
    assert flow_spec(chosen) == {"task": "sphere2", "solver": "euler", "fine": 64, "coarse": 2}
    trace = trace_spec(config, chosen.fine, chosen.seed)
    assert trace == {"model": model_spec(config, "sphere2"), "solver": "euler", "steps": 64, "index": 2}


@pytest.mark.parametrize(
    "change", [{"figures": {}}, {"select": {"tasks": ["digits"], "solvers": ["euler"], "seeds": [0]}}]
)
def test_there_is_no_flow_when_it_is_not_set_or_its_task_not_selected(change, study):
    assert flow(load({**study, **change})) is None


def test_the_accuracy_figure_shows_the_solvers_a_task_is_trained_with_and_the_accuracy_of_a_guess(config):
    assert accuracy_spec(config, "sphere2") == {"task": "sphere2", "solvers": ["euler", "rk4"], "chance": 0.5}
    assert accuracy_spec(config, "digits") == {"task": "digits", "solvers": ["euler"], "chance": 0.1}


@pytest.mark.parametrize("factor", [2, 3])
def test_the_work_of_training_grows_with_steps_stages_seeds_and_iterations(factor, config):
    cell = Cell("sphere2", "euler", 8, (0, 1))
    work = training_work(config, cell)
    assert training_work(config, Cell("sphere2", "euler", factor * 8, (0, 1))) == factor * work
    assert training_work(config, Cell("sphere2", "euler", 8, tuple(range(2 * factor)))) == factor * work
    assert training_work(config, Cell("sphere2", "rk4", 8, (0, 1))) == 4 * work
    config["protocols"]["paper_spheres"]["iterations"] *= factor
    assert training_work(config, cell) == factor * work


@pytest.mark.parametrize(
    ("task", "network", "per_evaluation"),
    [
        ("sphere2", {"family": "conv", "channels": 10}, 2 * 3 * 100),
        ("digits", {"family": "conv", "channels": 10}, 64 * 9 * 100),
        ("digits", {"family": "mlp", "widths": [10, 20]}, 64 * 10 + 10 * 20 + 20 * 64),
    ],
)
def test_the_work_of_one_evaluation_is_that_of_the_largest_layers(task, network, per_evaluation, study):
    study["networks"][study["tasks"][task]["network"]] = network
    config = load(study)
    protocol = config["protocols"][config["tasks"][task]["protocol"]]
    work = training_work(config, Cell(task, "euler", 1, (0,)))
    assert work == protocol["iterations"] * protocol["batch"] * per_evaluation
