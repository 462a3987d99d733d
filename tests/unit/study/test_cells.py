import copy
import json
import os
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solverproof.datasets.user_file import _checksum
from solverproof.files import sha256_of
from solverproof.ode.shipped import shipped
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.reporting.specifications import FlowSpec
from solverproof.specifications import Specification, canonical
from solverproof.study.cells import Study
from solverproof.study.config import load
from solverproof.study.specifications import (
    accuracy_spec,
    cost_spec,
    data_spec,
    evaluation_spec,
    flow_spec,
    tables_spec,
    trace_spec,
    training_spec,
)
from solverproof.study.workload import training_work


def loaded(study):
    return Study(load(study))


@pytest.fixture
def config(study):
    return loaded(study)


def edited(study, edit):
    changed = copy.deepcopy(study)
    edit(changed)
    return loaded(changed)


def flow_elsewhere(study):
    """The tasks, none of which is drawn in the plane."""
    del study["figures"]["flow"]
    return study["tasks"]


def specs(config):
    """Canonical training and evaluation specification of every cell, by path."""
    return {
        cell.path: (canonical(training_spec(cell)), canonical(evaluation_spec(cell)))
        for cell in config.cells
    }


def backwards(value):
    """The same content with the keys of all dicts in reverse order."""
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def cell_of(config, task, solver, value, seeds):
    setting = Setting.of(SOLVERS[solver], value)
    return config.cell(task, setting.solver, seeds, setting=setting)


def identities(config, selection):
    """The identities that a selection of settings implies, by its own names for them."""
    prefix = {"steps": "steps-", "tolerances": "tolerance-", "controlled": ""}[selection]
    return {
        f"{task}/{solver}/{prefix}{name}"
        for task in config.config["select"]["tasks"]
        for solver in config.config["select"]["solvers"]
        for name in config.config[selection].get(task, {}).get(solver, [])
    }


def test_a_cell_is_one_task_solver_setting_and_block_of_seeds(config):
    found = [cell for cell in config.cells if cell.setting]
    assert {cell.identity for cell in found} == identities(config, "steps") | identities(
        config, "tolerances"
    )
    assert {cell.seeds for cell in found} == {(0, 1, 2, 3, 4)}


def test_every_seed_of_a_controller_is_a_cell_of_its_own(config):
    found = [cell for cell in config.cells if not cell.setting]
    assert {cell.identity for cell in found} == identities(config, "controlled")
    for identity in identities(config, "controlled"):
        assert [cell.seeds for cell in found if cell.identity == identity] == [
            (0,),
            (1,),
            (2,),
            (3,),
            (4,),
        ]


def test_the_path_tells_the_cell(config):
    assert (
        cell_of(config, "sphere2", "euler", 64, (0, 1, 2)).path
        == "sphere2/euler/steps-64/seeds-0-2"
    )
    assert (
        cell_of(config, "sphere2", "dopri5", 0.001, (7,)).path
        == "sphere2/dopri5/tolerance-0.001/seeds-7-7"
    )
    assert (
        config.cell("sphere2", SOLVERS["euler"], (7,), controller="random").path
        == "sphere2/euler/random/seeds-7-7"
    )
    assert cell_of(config, "sphere2", "euler", 64, (7,)).identity == "sphere2/euler/steps-64"


blocks = st.permutations(["0-4", 5, "6-6", "10-12", 13])


@given(
    blocks,
    st.sets(st.integers(1, 200), min_size=1, max_size=4),
    st.sets(st.sampled_from(["euler", "midpoint", "rk4"]), min_size=1),
)
def test_paths_are_unique(seeds, steps, solvers):
    task = {
        "data": {"family": "spheres", "dimension": 2}, "network": "net", "protocol": "short",
    }  # fmt: skip
    config = {
        "tasks": {"one": task, "two": task},
        "networks": {"net": {"family": "conv", "channels": 1}},
        "protocols": {"short": {"iterations": 1, "batch": 1, "learning_rate": 0.1}},
        "controllers": {
            name: {"family": "random", "steps": [1, 2]} for name in ("paper", "random")
        },
        "select": {"tasks": ["one", "two"], "solvers": sorted(solvers), "seeds": seeds},
        "steps": {task: {solver: sorted(steps) for solver in solvers} for task in ("one", "two")},
        "tolerances": {},
        "controlled": {
            task: {name: ["paper", "random"] for name in solvers} for task in ("one", "two")
        },
    }
    paths = [cell.path for cell in loaded(config).cells]
    assert len(set(paths)) == len(paths) == 2 * len(solvers) * (len(steps) * 5 + 2 * 11)


@pytest.mark.parametrize(
    "add",
    [
        lambda study: study["select"]["seeds"].append("5-9"),
        lambda study: study["select"]["seeds"].insert(0, 5),
        lambda study: study["steps"]["sphere2"]["euler"].append(256),
        lambda study: study["steps"]["digits"]["euler"].insert(0, 3),
        lambda study: study["steps"]["digits"].update(rk4=[4]),
        lambda study: (
            study["select"]["solvers"].append("midpoint")
            or study["steps"]["digits"].update(midpoint=[4])
        ),
        lambda study: (
            study["select"]["tasks"].append("sphere3")
            or study["steps"].update(sphere3={"rk4": [4]})
        ),
        lambda study: study["tolerances"]["digits"]["dopri5"].insert(0, 0.5),
        lambda study: study["controlled"]["digits"].update(rk4=["random"]),
    ],
    ids=[
        "block after",
        "block before",
        "steps after",
        "steps before",
        "solver of a task",
        "solver",
        "task",
        "tolerance",
        "controller",
    ],
)
def test_what_is_added_to_a_study_leaves_the_cells_that_were_there_alone(add, study):
    before, after = specs(loaded(study)), specs(edited(study, add))
    assert len(after) > len(before)
    assert {path: after[path] for path in before} == before


@pytest.mark.parametrize(
    "change",
    [
        lambda study: study["networks"]["mlp64"].update(widths=[3]),
        lambda study: study["tasks"]["sphere900"]["data"].update(train=8),
        lambda study: study["protocols"].update(
            other={"iterations": 1, "batch": 1, "learning_rate": 1.0}
        ),
        lambda study: study["figures"].clear(),
        lambda study: study["validity"].update(threshold=0.2),
        lambda study: study.update(results="elsewhere"),
        lambda study: study.update(source="elsewhere"),
    ],
    ids=["network", "task", "protocol", "figures", "validity", "results", "source"],
)
def test_what_a_cell_does_not_use_is_not_in_its_specifications(change, study):
    assert specs(edited(study, change)) == specs(loaded(study))


@pytest.mark.parametrize(
    ("change", "changes_training"),
    [
        (lambda study: study["networks"]["conv32"].update(channels=8), True),
        (lambda study: study["protocols"]["paper_spheres"].update(batch=64), True),
        (lambda study: study["tasks"]["sphere2"]["data"].update(seed=1), True),
        (lambda study: study["tasks"]["sphere2"].update(horizon=2.0), True),
        (lambda study: study["tasks"]["sphere2"].update(classes=3), True),
        (lambda study: flow_elsewhere(study)["sphere2"].update(augment=1), True),
        (
            lambda study: flow_elsewhere(study)["sphere2"].update(encoder={"path": "json:load"}),
            True,
        ),
        (lambda study: study["tasks"]["sphere2"].update(head={"path": "json:load"}), True),
        (lambda study: study["protocols"]["paper_spheres"].update(clip=1.0), True),
        (lambda study: study["protocols"]["paper_spheres"].update(loss="json:load"), True),
        (lambda study: study["test"].update(ratios=[0.1]), False),
        (
            lambda study: study["test"]["solvers"].update(euler=["euler"], rk4=["rk4", "euler"]),
            False,
        ),
        (lambda study: study["test"].update(tolerance_ratios=[0.5]), False),
    ],
    ids=[
        "network",
        "protocol",
        "data",
        "horizon",
        "classes",
        "zeros",
        "encoder",
        "head",
        "clip",
        "loss",
        "ratios",
        "test solvers",
        "tolerance ratios",
    ],
)
def test_what_a_cell_uses_changes_just_the_specifications_that_use_it(
    change, changes_training, study
):
    before, after = specs(loaded(study)), specs(edited(study, change))
    if not changes_training:
        assert any(after[path][1] != evaluation for path, (_, evaluation) in before.items())
    for path, (train, _) in before.items():
        assert (after[path][0] != train) == (changes_training and path.startswith("sphere2"))


def test_the_order_of_keys_and_numbers_of_steps_changes_no_specification(study):
    reordered = backwards(study)
    for settings in reordered["steps"].values():
        for steps in settings.values():
            steps.reverse()
    reordered["test"]["ratios"].reverse()
    assert specs(loaded(reordered)) == specs(loaded(study))
    assert [cell.path for cell in loaded(reordered).cells] == [
        cell.path for cell in loaded(study).cells
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda study: study["tasks"]["sphere2"].update(horizon=1),
        lambda study: study["test"].update(ratios=[2.0, 1.5, 1.0, 0.75, 0.5, 0.25, 0.125]),
        lambda study: study["protocols"]["digits"].update(learning_rate=1.0e-3),
    ],
    ids=["horizon", "ratios", "learning rate"],
)
def test_a_whole_number_is_the_same_specification_with_and_without_a_decimal_point(change, study):
    assert specs(edited(study, change)) == specs(loaded(study))


json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@dataclass(frozen=True)
class Anything(Specification):
    """A specification of any content."""

    content: Any


@given(st.dictionaries(st.text(), json_values))
def test_canonical_json_is_the_specification_whatever_the_order_of_its_keys(content):
    written = canonical(Anything(content))
    assert json.loads(written) == {"content": content}
    assert canonical(Anything(backwards(content))) == written
    assert "\n" not in written


def test_every_specification_of_a_study_comes_back_from_its_json(config):
    found = [
        *map(training_spec, config.cells),
        *map(evaluation_spec, config.cells),
        *(data_spec(task) for task in config.tasks.values()),
        *(trace_spec(cell, 0) for cell in config.cells if cell.setting),
        *(accuracy_spec(config, task) for task in config.config["select"]["tasks"]),
        *(cost_spec(config, task) for task in config.config["select"]["tasks"]),
        tables_spec(config),
        flow_spec(config),
    ]
    for spec in found:
        assert type(spec).from_json(json.loads(canonical(spec))) == spec


def test_specifications_of_training_hold_what_the_configuration_says(config):
    (cell,) = [cell for cell in config.cells if cell.path == "digits/euler/steps-8/seeds-0-4"]
    assert training_spec(cell).to_json() == {
        "task": "digits",
        "data": {"family": "digits", "test": 360, "seed": 0},
        "model": {"network": {"family": "conv", "channels": 16}, "outputs": 10},
        "protocol": {
            "iterations": 2000,
            "batch": 32,
            "learning_rate": 1e-3,
            "history_every": 50,
        },
        "setting": {"solver": "euler", "steps": 8},
        "seeds": [0, 1, 2, 3, 4],
    }


def test_every_cell_is_tested_with_the_test_solvers_of_its_training_solver_at_all_ratios(config):
    solvers = {"euler": ["euler", "midpoint", "rk4"], "fehlberg2": ["dopri5", "fehlberg2"]}
    for cell in config.cells:
        spec = evaluation_spec(cell)
        names = [solver.name for solver in spec.solvers]
        assert names == solvers.get(cell.solver.name, [cell.solver.name])
        adaptive = cell.solver.kind == "adaptive"
        assert spec.ratios == ((0.1, 1, 10) if adaptive else (0.125, 0.25, 0.5, 0.75, 1, 1.5, 2))


def test_a_solver_without_test_solvers_is_tested_with_itself(study):
    study["test"]["solvers"] = {}
    config = loaded(study)
    for cell in config.cells:
        assert evaluation_spec(cell).solvers == (cell.solver,)


def test_a_controlled_cell_says_by_what_and_whether_it_is_adapted(config):
    found = {cell.label: evaluation_spec(cell) for cell in config.cells if not cell.setting}
    assert {label: (spec.controller, spec.adapted) for label, spec in found.items()} == {
        "adapt_midpoint": ("adapt_midpoint", True),
        "adapt_often": ("adapt_often", True),
        "random": ("random", False),
    }
    assert all(evaluation_spec(c).controller is None for c in config.cells if c.setting)


def test_a_controlled_cell_is_trained_with_its_controller_and_measured_with_the_solvers_it_names(
    config,
):
    (cell, *_) = [cell for cell in config.cells if cell.label == "adapt_midpoint"]
    spec = training_spec(cell).to_json()
    definition = config.config["controllers"]["adapt_midpoint"]
    neutral = {"initial": None, "plateau": "reach"}
    assert neutral.items() <= definition.items()
    assert spec["controller"] == {k: v for k, v in definition.items() if k not in neutral}
    assert spec["controller"]["threshold"] == 0.1
    assert (spec["solver"], spec["controller"]["probe_solvers"]) == ("euler", ["midpoint", "rk4"])
    assert "setting" not in spec


def test_a_solver_of_the_configuration_is_in_the_specifications_that_use_it_without_its_source(
    study,
):
    tableau = {"order": 2, "c": [0, 1], "a": [[], [1]], "b": [0.5, 0.5]}
    study["solvers"] = {"mine": {**tableau, "source": "a book"}}
    study["test"]["solvers"]["rk4"] = ["rk4", "mine"]
    config = loaded(study)
    for cell in config.cells:
        own = [s for s in evaluation_spec(cell).to_json()["solvers"] if isinstance(s, dict)]
        exact = {"order": 2, "c": ["0", "1"], "a": [[], ["1"]], "b": ["1/2", "1/2"]}
        assert own == ([{"name": "mine", **exact}] if cell.solver.name == "rk4" else [])
        assert "mine" not in canonical(training_spec(cell))


def test_a_solver_that_comes_with_the_package_is_in_the_specifications_by_its_numbers(study):
    study["select"]["solvers"].append("ralston2")
    study["steps"]["sphere2"]["ralston2"] = [4]
    config = loaded(study)
    (cell,) = (cell for cell in config.cells if cell.solver.name == "ralston2")
    exact = {"c": ["0", "2/3"], "a": [[], ["2/3"]], "b": ["1/4", "3/4"]}
    ralston2 = {"name": "ralston2", "order": 2, **exact}
    assert training_spec(cell).to_json()["setting"] == {"solver": ralston2, "steps": 4}
    assert evaluation_spec(cell).to_json()["solvers"] == [ralston2]
    assert tables_spec(config).to_json()["own_solvers"] == [ralston2]
    assert accuracy_spec(config, "sphere2").to_json()["own_solvers"] == [ralston2]


def test_a_solver_that_comes_with_the_package_is_the_same_where_a_configuration_defines_it(study):
    study["select"]["solvers"].append("tsit5")
    study["tolerances"]["sphere2"]["tsit5"] = [0.1]
    known = [canonical(training_spec(cell)) for cell in loaded(study).cells]
    study["solvers"] = {"tsit5": {**shipped()["tsit5"], "source": "written out, as it used to be"}}
    assert [canonical(training_spec(cell)) for cell in loaded(study).cells] == known


def test_solvers_that_come_with_the_package_and_are_not_used_are_in_no_specification(study):
    config = loaded(study)
    assert "own_solvers" not in tables_spec(config).to_json()
    specs = [
        canonical(spec(cell)) for spec in (training_spec, evaluation_spec) for cell in config.cells
    ]
    assert not any(name in spec for name in shipped() for spec in specs)


def test_a_file_is_part_of_the_specification_by_its_content(study, tmp_path):
    path = tmp_path / "mine.csv"
    study["tasks"]["mine"] = {
        "data": {"family": "file", "path": str(path), "classes": 2, "label": "y"},
        "network": "mlp64",
        "protocol": "digits",
    }
    config = loaded(study)

    def specification():
        _checksum.cache_clear()  # a file is read once per run
        return canonical(data_spec(config.tasks["mine"]))

    path.write_text("x,y\n1,0\n2,1\n", encoding="utf-8")
    first = specification()
    os.utime(path, (0, 0))
    assert specification() == first
    path.write_text("x,y\n1,0\n2,2\n", encoding="utf-8")
    assert specification() != first
    assert sha256_of(path) in specification()


def test_images_are_part_of_the_specification_by_their_subset_pooling_and_checksums(study):
    data = {
        "family": "cifar10",
        "train": 10_000,
        "pool": 2,
        "sha256": {"cifar-10-binary.tar.gz": "0" * 64},
    }
    study["tasks"]["images"] = {"data": data, "network": "conv16", "protocol": "digits"}
    assert data_spec(loaded(study).tasks["images"]).to_json() == {**data, "test": 10_000}


def test_adapted_cells_are_gathered_for_their_figure(config):
    found = config.adapted
    assert set(found) == {"sphere2_euler_adapt_midpoint", "digits_euler_adapt_often"}
    for name, seeds in found.items():
        assert [cell.seeds for cell in seeds] == [(seed,) for seed in range(5)]
        assert {cell.identity.replace("/", "_") for cell in seeds} == {name}


def test_the_flow_names_the_two_cells_that_hold_its_seed(study):
    study["select"]["seeds"] = ["0-4", "5-9"]
    study["figures"]["flow"]["seed"] = 7
    config = loaded(study)
    chosen = config.flow
    assert chosen.fine.path == "sphere2/euler/steps-128/seeds-5-9"
    assert chosen.coarse.path == "sphere2/euler/steps-2/seeds-5-9"
    named = {"task": "sphere2", "solver": "euler", "fine": 128, "coarse": 2}
    assert flow_spec(config) == FlowSpec(**named, chance=0.5)
    trace = trace_spec(chosen.fine, chosen.seed)
    assert trace.model == config.tasks["sphere2"].model
    assert (trace.setting.label, trace.index) == ("steps-128", 2)


@pytest.mark.parametrize(
    "change",
    [
        {"figures": {}},
        {"select": {"tasks": ["digits"], "solvers": ["euler"], "seeds": [0]}},
        {"select": {"tasks": ["sphere2"], "solvers": ["rk4"], "seeds": [0]}},
    ],
)
def test_there_is_no_flow_when_it_is_not_set_or_its_task_or_solver_not_selected(change, study):
    assert loaded({**study, **change}).flow is None


def test_the_accuracy_figure_shows_the_solvers_a_task_is_trained_with_and_the_accuracy_of_a_guess(
    config,
):
    solvers = {
        "sphere2": ["euler", "rk4", "fehlberg2", "dopri5"],
        "digits": ["euler", "fehlberg2", "dopri5"],
    }
    for task, chance in (("sphere2", 0.5), ("digits", 0.1)):
        assert accuracy_spec(config, task).to_json() == {
            "task": task,
            "solvers": solvers[task],
            "chance": chance,
        }


@pytest.mark.parametrize("factor", [2, 3])
def test_the_work_of_training_grows_with_steps_stages_seeds_and_iterations(factor, config):
    cell = cell_of(config, "sphere2", "euler", 8, (0, 1))
    work = training_work(cell)
    assert training_work(cell_of(config, "sphere2", "euler", factor * 8, (0, 1))) == factor * work
    assert (
        training_work(cell_of(config, "sphere2", "euler", 8, tuple(range(2 * factor))))
        == factor * work
    )
    assert training_work(cell_of(config, "sphere2", "rk4", 8, (0, 1))) == 4 * work
    config.config["protocols"]["paper_spheres"]["iterations"] *= factor
    longer = cell_of(Study(config.config), "sphere2", "euler", 8, (0, 1))
    assert training_work(longer) == factor * work


def test_the_adjoint_equation_is_three_times_the_work(config):
    cell = cell_of(config, "sphere2", "euler", 8, (0,))
    work = training_work(cell)
    config.config["protocols"]["paper_spheres"]["gradient"] = "adjoint"
    adjoint = cell_of(Study(config.config), "sphere2", "euler", 8, (0,))
    assert training_work(adjoint) == 3 * work


@pytest.mark.parametrize(
    ("task", "network", "per_evaluation"),
    [
        ("sphere2", {"family": "conv", "channels": 10}, 2 * 3 * 100),
        ("digits", {"family": "conv", "channels": 10}, 64 * 9 * 100),
        ("digits", {"family": "mlp", "widths": [10, 20]}, 64 * 10 + 10 * 20 + 20 * 64),
    ],
)
def test_the_work_of_one_evaluation_is_that_of_the_largest_layers(
    task, network, per_evaluation, study
):
    study["networks"][study["tasks"][task]["network"]] = network
    config = loaded(study)
    protocol = config.config["protocols"][config.config["tasks"][task]["protocol"]]
    work = training_work(cell_of(config, task, "euler", 1, (0,)))
    assert work == protocol["iterations"] * protocol["batch"] * per_evaluation


def test_controllers_that_differ_in_their_knob_alone_are_one_way_to_choose_a_step(study):
    def sweep(study):
        study["controlled"]["digits"]["euler"] = ["plain", "lenient", "strict", "fixed", "drawn"]
        study["controllers"] |= {
            "plain": {"family": "set_point", "spread": 1},
            "fixed": {"family": "set_point", "accept": 0.05},
            "strict": {"family": "set_point", "accept": 0.001, "spread": 1, "probe_every": 7},
            "lenient": {"family": "set_point", "accept": 0.02, "spread": 1},
            "drawn": {"family": "random", "steps": [2, 8]},
        }

    ways = cost_spec(edited(study, sweep), "digits").ways["euler"]
    alike = dict.fromkeys(("plain", "strict", "lenient"), "set-point")
    assert ways == {**alike, "drawn": "random steps"}  # without `fixed`, a variant
