import copy
import math
import os
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from solverproof.__main__ import main
from solverproof.errors import InputError
from solverproof.ode.shipped import shipped
from solverproof.ode.solvers import SOLVERS
from solverproof.study.cells import Study
from solverproof.study.config import (
    MOST_CELLS,
    SCHEMA,
    load,
    read,
    seed_blocks,
    without_effect,
)
from solverproof.study.resources import sizing

CONFIG = Path(__file__).parents[3] / "config"
MINIMAL = {
    "select": {"tasks": ["toy"], "solvers": ["rk4"], "seeds": [0]},
    "steps": {"toy": {"rk4": [4]}},
    "tasks": {
        "toy": {
            "data": {"family": "spheres", "dimension": 2},
            "network": "net",
            "protocol": "short",
        }
    },
    "networks": {"net": {"family": "conv", "channels": 4}},
    "protocols": {"short": {"iterations": 5, "batch": 4, "learning_rate": 0.1}},
}
MISSING = object()
SEEDS, STEPS = "select.seeds", "steps.sphere2.euler"


def changed(config, dotted, value):
    """A copy with another value, or without the key, at a dotted path."""
    result = copy.deepcopy(config)
    *parents, last = dotted.split(".")
    node = result
    for name in parents:
        node = node[name]
    node[last] = value
    if value is MISSING:
        del node[last]
    return result


def merged(base, overlay):
    """As Snakemake merges configuration files: dicts key by key, everything else whole."""
    if not (isinstance(base, dict) and isinstance(overlay, dict)):
        return overlay
    return {**base, **{key: merged(base.get(key), value) for key, value in overlay.items()}}


def complaint(config, files=()):
    with pytest.raises(InputError) as caught:
        load(config, files)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_a_minimal_configuration_is_filled_with_all_defaults():
    filled = load(MINIMAL)
    assert filled["results"] == "results"
    assert filled["source"] == "downloads"
    assert filled["test"]["ratios"] == [2, 1.5, 1, 0.75, 0.5, 0.25, 0.125]
    assert filled["test"]["tolerance_ratios"] == [10, 1, 0.1]
    assert filled["test"]["solvers"] == {
        "euler": ["euler", "midpoint", "rk4"],
        "midpoint": ["midpoint", "rk4"],
        "fehlberg2": ["fehlberg2", "dopri5"],
    }
    assert filled["validity"] == {"threshold": 0.1, "error_threshold": 0.1}
    assert filled["figures"] == {}
    assert filled["tasks"]["toy"]["horizon"] == 1.0
    assert filled["tasks"]["toy"]["data"] == {
        "family": "spheres",
        "dimension": 2,
        "train": 2000,
        "test": 1000,
        "seed": 0,
    }
    assert filled["protocols"]["short"]["history_every"] == 50
    assert filled["protocols"]["short"]["gradient"] == "backpropagation"
    assert filled["tolerances"] == filled["controlled"] == filled["controllers"] == {}
    assert filled["solvers"] == shipped()


@pytest.mark.parametrize("task", ["sphere2", "digits"])
def test_a_selected_task_without_any_setting_is_told_what_to_write(task, study):
    for selection in ("steps", "tolerances", "controlled"):
        study[selection][task] = {"rk4": []}
    wanted = f"write for example steps.{task}: {{euler: [8, 16]}}, or leave it out"
    assert (
        complaint(study)
        == f"select: nothing is trained on '{task}' with a selected solver; {wanted}"
    )


def test_what_is_given_or_selected_to_no_effect_is_told(study):
    study["select"].update(tasks=["sphere2"], solvers=["euler", "bosh3"])
    study.update(steps={"sphere2": {"euler": [2], "midpoint": [2, 4], "rk4": []}})
    study.update(tolerances={"digits": {"dopri5": [0.1]}}, controlled={}, figures={})
    assert [*without_effect(load(study))] == [
        "not trained, for their solvers are not selected: steps.sphere2.midpoint",
        "selected, but with nothing to train on a selected task: bosh3",
    ]


def test_a_selection_of_which_all_has_an_effect_has_nothing_to_tell(study):
    assert not [*without_effect(load(study))]


@pytest.mark.parametrize(
    ("place", "value"), [("controlled", "none"), ("steps.digits", "none"), ("steps.digits.rk4", 8)]
)
def test_where_null_selects_nothing_the_remedy_says_so(place, value, study):
    *groups, key = place.split(".")
    inner = study
    for group in groups:
        inner = inner[group]
    inner[key] = value
    assert complaint(study).endswith(", or null to select nothing")


NEW_KEYS = [
    ("controllers.adapt_midpoint.threshold", 1.5, "write a value of at most 1"),
    ("controllers.adapt_midpoint.threshold", -0.1, "write a value of at least 0"),
    ("controllers.adapt_midpoint.shrink", 1.0, "write a value of less than 1"),
    ("controllers.adapt_midpoint.shrink", 0, "write a value of more than 0"),
    ("controllers.adapt_midpoint.grow", 1.0, "write a value of more than 1"),
    ("controllers.adapt_midpoint.interval", 0, "write a value of at least 1"),
    ("controllers.adapt_midpoint.most_steps", 0, "write a value of at least 1"),
    ("controllers.adapt_midpoint.initial", 2.0, "write a value of at most 1"),
    (
        "controllers.adapt_midpoint.test_solver",
        "midpont",
        "unknown solver 'midpont'; did you mean 'midpoint'?",
    ),
    ("controllers.adapt_midpoint.treshold", 0.1, "unknown key; did you mean 'threshold'?"),
    ("controllers.random.steps", [32, 4], "the fewest steps come first; write [4, 32]"),
    ("controllers.random.steps", [4], "the list has 1 entries; give at least 2 entries"),
    (
        "controllers.steps-8",
        {"family": "random", "steps": [1, 2]},
        "does not begin with steps- or tolerance-",
    ),
    (
        "controllers.random",
        {"family": "set_point", "hold_out": 100},
        "hold_out: 100 samples cannot show in 3 tests that 0.01 of them at most miss; write 574",
    ),
    (
        "controllers.random",
        {"family": "set_point", "law": {"memmory": 3}},
        "law.memmory: unknown key; did you mean 'memory'?",
    ),
    (
        "controllers.random",
        {"family": "set_point", "law": {"shrink": 1.0}},
        "law.shrink: 1.0 is out of range; write a value of less than 1",
    ),
    (
        "controlled.sphere2.euler",
        ["adapt_middle"],
        "unknown controller 'adapt_middle'; did you mean 'adapt_midpoint'?",
    ),
    (
        "controlled.sphere2.rk4",
        ["adapt_midpoint"],
        "midpoint is no better than rk4; write one of order above 4",
    ),
    ("controlled.sphere2.fehlberg2", ["adapt_midpoint"], "write a solver of kind 'adaptive'"),
    (
        "controllers.adapt_midpoint.probe_solvers",
        ["rk5"],
        "unknown solver 'rk5'; did you mean 'rk4'?",
    ),
    (
        "controlled.sphere2.fehlberg2",
        ["random"],
        "fehlberg2 has no steps to draw; write a fixed-step solver",
    ),
    ("controlled.sphere2.dopri8", ["adapt_dopri5"], "write one of order above 8, or dopri8 itself"),
    (
        "steps.sphere2.dopri5",
        [4],
        "dopri5 is of kind 'adaptive'; write its settings under tolerances",
    ),
    ("tolerances.sphere2.euler", [0.1], "euler is of kind 'fixed'; write its settings under steps"),
    ("tolerances.sphere2.dopri5", [0], "write a value of more than 0"),
    ("test.solvers.euler", ["euler", "dopri5"], "write a solver of the same kind"),
    ("protocols.digits.gradient", "adjont", "did you mean 'adjoint'?"),
    (
        "networks.conv16",
        {"family": "module", "path": "nowhere.Class"},
        "write an import path module:name",
    ),
    ("networks.conv16", {"family": "module", "path": "nowhere:Class"}, "no module named 'nowhere'"),
    ("networks.conv16", {"family": "module", "path": "math.nothing:Class"}, "no module named"),
    ("networks.conv16", {"family": "module", "path": "json:Loader"}, "no 'Loader' in json"),
    ("tasks.digits.encoder", {"path": "nowhere:Class"}, "no module named 'nowhere'"),
    ("tasks.digits.head", {"path": "json:loader"}, "no 'loader' in json; did you mean 'load"),
    ("tasks.digits.head", {"path": "json:load", "option": 1}, "did you mean 'options'?"),
    (
        "tasks.digits.encoder",
        "json:load",
        "'json:load' is not keys with values; write keys with values: path, options",
    ),
    ("tasks.digits.augment", -1, "write a value of at least 0"),
    (
        "tasks.digits.data",
        {"family": "module", "path": "nowhere:rings", "classes": 2},
        "no module named 'nowhere'",
    ),
    ("tasks.digits.data", {"family": "module", "path": "json:load"}, "say what it makes, and once"),
    ("controllers.random", {"family": "module", "path": "json:Rule"}, "no 'Rule' in json"),
    ("protocols.digits.optimizer", "adm", "did you mean 'adam'?"),
    ("protocols.digits.momentum", 0.9, "adam has none; write optimizer: sgd, or remove the key"),
    ("protocols.digits.momentum", 1.0, "write a value of less than 1"),
    ("protocols.digits.weight_decay", -1, "write a value of at least 0"),
    ("protocols.digits.clip", 0, "write a value of more than 0"),
    ("protocols.digits.schedule", "linear", "known are: constant, cosine, step"),
    ("protocols.digits.decay_every", 10, "belongs to schedule: step, which needs it"),
    ("protocols.digits.decay", 0.5, "belongs to schedule: step; write that, or remove the key"),
    ("protocols.digits.random_end", 1.0, "write a value of less than 1"),
    ("protocols.digits.consistency", -1, "write a value of at least 0"),
    ("protocols.digits.local_error", 1.0, "fehlberg2 is no fixed-step solver; select none but"),
    ("protocols.digits.loss", "focal", "write cross_entropy, mean_squared_error, or an import"),
    ("protocols.digits.loss", "nowhere:focal", "no module named 'nowhere'"),
    ("validity.error_threshold", -0.1, "write a value of at least 0"),
    (
        "tasks.digits.data",
        {"family": "file", "path": "none.csv", "classes": 2},
        "none.csv: there is no such file",
    ),
    (
        "solvers.reference",
        {"order": 1, "c": [0], "a": [[]], "b": [1]},
        "'reference' is the flow itself in tables; write another name",
    ),
    (
        "solvers.mine",
        {"order": 2, "c": [0, 1], "a": [[], [1]], "b": [1, 0]},
        "the method has order 1",
    ),
    (
        "solvers.mine",
        {"order": 1, "c": [0], "a": [[]], "b": [1], "b_embedded": [1]},
        "embedded_order",
    ),
    ("solvers.rk4", {"order": 1, "c": [0], "a": [[]], "b": [1]}, "torchdiffeq has a method 'rk4'"),
    (
        "solvers.ralston2",
        {"order": 2, "c": [0, 1], "a": [[], [1]], "b": [0.5, 0.5]},
        "another method 'ralston2' comes with the package; write another name",
    ),
]


@pytest.mark.parametrize(
    ("key", "value", "remedy"), NEW_KEYS, ids=[f"{key}={value}" for key, value, _ in NEW_KEYS]
)
def test_a_setting_of_solvers_and_controllers_that_cannot_be_used_is_told_in_one_line(
    key, value, remedy, study
):
    study["select"]["solvers"].append("dopri8")
    study.setdefault("solvers", {})
    message = complaint(changed(study, key, value))
    assert message.startswith(key.rpartition(".")[0] if "steps-8" in key else key)
    assert remedy in message
    assert "\n" not in message


def test_a_schedule_in_steps_needs_their_interval(study):
    study["protocols"]["digits"]["schedule"] = "step"
    assert complaint(study).startswith("protocols.digits.decay_every: belongs to schedule: step")


@pytest.fixture
def real_values(study, tmp_path):
    """The digits task with a table of real values in place of its data."""
    path = tmp_path / "table.csv"
    path.write_text("a,u\n1,2\n", encoding="utf-8")
    data = {"family": "file", "path": str(path), "targets": ["u"]}
    return changed(study, "tasks.digits.data", data)


def test_real_values_are_planned_like_classes(real_values):
    study = Study(load(real_values))
    assert study.tasks["digits"].model.outputs == 1
    assert {cell.task.name for cell in study.cells} == {"sphere2", "digits"}


@pytest.mark.parametrize(
    ("key", "value", "remedy"),
    [
        ("tasks.digits.classes", 10, "the targets are real values; remove the key"),
        ("tasks.digits.data.label", "a", "the targets are real values; remove the key"),
        ("tasks.digits.data.targets", "u", "'u' is not a list; write a list, for example [a, b]"),
        ("protocols.digits.loss", "cross_entropy", "write loss: mean_squared_error"),
        ("figures.flow.task", "digits", "write a task with classes"),
    ],
)
def test_what_real_values_cannot_have_is_told(key, value, remedy, real_values):
    if key.startswith("figures"):
        real_values["figures"]["flow"] |= {"fine": 32, "coarse": 2}
    message = complaint(changed(real_values, key, value))
    assert message.startswith(f"{key}: ")
    assert remedy in message


def test_an_encoder_and_appended_zeros_exclude_each_other(study):
    study["tasks"]["digits"] |= {"augment": 1, "encoder": {"path": "json:load"}}
    assert complaint(study).startswith("tasks.digits.augment: an encoder makes the states")


def test_an_augmented_state_is_not_drawn_in_the_plane(study):
    message = complaint(changed(study, "tasks.sphere2.augment", 1))
    assert message.startswith("figures.flow.task: the state of 'sphere2' is not 2-d")


@pytest.mark.parametrize("family", ["cifar10", "mnist", "fashion_mnist"])
def test_published_images_are_all_taken_as_they_are_by_default(family):
    train = 50_000 if family == "cifar10" else 60_000
    filled = load(changed(MINIMAL, "tasks.toy.data", {"family": family}))["tasks"]["toy"]["data"]
    assert filled == {"family": family, "train": train, "test": 10_000, "pool": 1}


@pytest.mark.parametrize(
    ("options", "key", "remedy"),
    [
        ({"train": 50_001}, "train", "write a value of at most 50000"),
        ({"test": 0}, "test", "write a value of at least 1"),
        ({"pool": 3}, "pool", "unknown pool 3; known are: 1, 2, 4"),
        ({"seed": 0}, "seed", "unknown key"),
        ({"sha256": "0" * 64}, "sha256", "write keys with values"),
        (
            {"sha256": {"cifar-10.tar.gz": "0" * 64}},
            "sha256",
            "did you mean 'cifar-10-binary.tar.gz'?",
        ),
        (
            {"sha256": {"cifar-10-binary.tar.gz": "0"}},
            "sha256.cifar-10-binary.tar.gz",
            "64 hexadecimal digits",
        ),
    ],
)
def test_an_option_of_images_that_cannot_be_used_is_told(options, key, remedy):
    message = complaint(changed(MINIMAL, "tasks.toy.data", {"family": "cifar10", **options}))
    assert message.startswith(f"tasks.toy.data.{key}: ")
    assert remedy in message


@pytest.mark.parametrize("data", [{"family": "digits"}, {"family": "spheres", "dimension": 2}])
def test_the_head_has_as_many_outputs_as_the_data_set_classes(data):
    config = load(changed(MINIMAL, "tasks.toy.data", data))
    classes = {"digits": 10, "spheres": 2}[data["family"]]
    assert Study(config).tasks["toy"].model.outputs == classes


def test_defaults_never_replace_what_is_given(study):
    assert load(changed(study, "validity.threshold", 0))["validity"]["threshold"] == 0
    assert load(changed(study, "tasks.digits.classes", 12))["tasks"]["digits"]["classes"] == 12


@pytest.mark.parametrize("config", ["study", "minimal"])
def test_loading_leaves_its_input_alone_and_shares_nothing_with_it(config, study):
    given_config = study if config == "study" else MINIMAL
    before = copy.deepcopy(given_config)
    filled = load(given_config)
    filled["select"]["seeds"].append(99)
    filled["tasks"].clear()
    assert given_config == before


def test_defaults_are_fresh_in_every_load():
    load(MINIMAL)["test"]["ratios"].append(99)
    assert 99 not in load(MINIMAL)["test"]["ratios"]


def test_loading_twice_changes_nothing_more(study):
    assert load(load(study)) == load(study)


@pytest.mark.parametrize("overlay", [None, *sorted(path.name for path in CONFIG.glob("*.yaml"))])
def test_every_configuration_of_the_repository_is_valid(study, overlay):
    config = (
        merged(study, yaml.safe_load((CONFIG / overlay).read_text(encoding="utf-8")))
        if overlay
        else study
    )
    assert load(config)["select"]["seeds"] == config["select"]["seeds"]


def test_numbers_that_are_whole_and_numbers_that_are_not_are_both_numbers(study):
    for value in (1, 0.5):
        assert load(changed(study, "protocols.digits.learning_rate", value))


@pytest.mark.parametrize(
    ("key", "value", "where", "what"),
    [
        ("selct", {}, "selct:", "unknown key; did you mean 'select'?"),
        ("colour", 1, "colour:", "unknown key; known are: results, source, select"),
        ("select.solver", ["euler"], "select.solver:", "unknown key; did you mean 'solvers'?"),
        (
            "protocols.digits.learnig_rate",
            1,
            "protocols.digits.learnig_rate:",
            "did you mean 'learning_rate'?",
        ),
        (
            "tasks.sphere2.data.dimensions",
            2,
            "tasks.sphere2.data.dimensions:",
            "did you mean 'dimension'?",
        ),
        ("tasks.digits.data.dimension", 2, "tasks.digits.data.dimension:", "unknown key"),
        (
            "networks.conv32.widths",
            [2],
            "networks.conv32.widths:",
            "unknown key; known are: family, channels",
        ),
        ("figures.flow.sede", 1, "figures.flow.sede:", "did you mean 'seed'?"),
        (
            "select.tasks",
            ["sphere1", "digits"],
            "select.tasks[0]:",
            "unknown task 'sphere1'; did you mean",
        ),
        (
            "select.solvers",
            ["euler", "rk5"],
            "select.solvers[1]:",
            "unknown solver 'rk5'; did you mean 'rk4'?",
        ),
        (
            "steps.spere2",
            {"euler": [2]},
            "steps.spere2:",
            "unknown task 'spere2'; did you mean 'sphere2'?",
        ),
        (
            "steps.sphere2.eulr",
            [2],
            "steps.sphere2.eulr:",
            "unknown solver 'eulr'; did you mean 'euler'?",
        ),
        (
            "tasks.sphere2.network",
            "conv",
            "tasks.sphere2.network:",
            "unknown network 'conv'; did you mean 'conv",
        ),
        (
            "tasks.sphere2.protocol",
            "digit",
            "tasks.sphere2.protocol:",
            "unknown protocol 'digit'; did you mean",
        ),
        (
            "tasks.sphere2.data.family",
            "sphere",
            "tasks.sphere2.data.family:",
            "did you mean 'spheres'?",
        ),
        ("networks.mlp64.family", "mpl", "networks.mlp64.family:", "did you mean 'mlp'?"),
        (
            "test.solvers.eul",
            ["rk4"],
            "test.solvers.eul:",
            "unknown solver 'eul'; did you mean 'euler'?",
        ),
        (
            "test.solvers.rk4",
            ["rk4", "rk"],
            "test.solvers.rk4[1]:",
            "unknown solver 'rk'; did you mean 'rk4'?",
        ),
        (
            "figures.flow.task",
            "sphere4",
            "figures.flow.task:",
            "unknown task 'sphere4'; did you mean",
        ),
        (
            "figures.flow.solver",
            "heun",
            "figures.flow.solver:",
            "unknown solver 'heun'; did you mean 'heun",
        ),
    ],
)
def test_a_name_that_is_unknown_is_told_with_a_suggestion(key, value, where, what, study):
    message = complaint(changed(study, key, value))
    assert message.startswith(where)
    assert what in message


@pytest.mark.parametrize(
    ("key", "value", "where", "what"),
    [
        (STEPS, [0], f"{STEPS}[0]:", "0 is out of range; write a value of at least 1"),
        (STEPS, [2, -4], f"{STEPS}[1]:", "-4 is out of range; write a value of at least 1"),
        (STEPS, [2.5], f"{STEPS}[0]:", "2.5 is not a whole number; write a whole number"),
        (STEPS, [2, 4.0], f"{STEPS}[1]:", "4.0 is not a whole number; write a whole number"),
        (STEPS, ["8"], f"{STEPS}[0]:", "'8' is not a whole number; write a whole number"),
        (STEPS, ["many"], f"{STEPS}[0]:", "'many' is not a whole number; write a whole number"),
        (STEPS, [True], f"{STEPS}[0]:", "True is not a whole number"),
        (STEPS, [2, 8, 2], f"{STEPS}:", "2 is given twice; remove one"),
        (STEPS, 8, f"{STEPS}:", "8 is not a list; write a list, for example [1, 2]"),
        ("test.ratios", None, "test.ratios:", "no value is given; write a list"),
        (SEEDS, [0, 0], f"{SEEDS}[1]:", "seed 0 is given twice; remove one"),
        (SEEDS, ["0-4", 3], f"{SEEDS}[1]:", "seed 3 is given twice; remove one"),
        (SEEDS, ["0-4", "4-9"], f"{SEEDS}[1]:", "seed 4 is given twice; remove one"),
        (SEEDS, [7, "5-9"], f"{SEEDS}[1]:", "seed 7 is given twice; remove one"),
        (SEEDS, [], f"{SEEDS}:", "the list is empty; give at least one entry"),
        (SEEDS, ["4-0"], f"{SEEDS}[0]:", "the range '4-0' runs backwards; write 0-4"),
        (
            SEEDS,
            ["0..4"],
            f"{SEEDS}[0]:",
            "'0..4' is not a seed; write a whole number (5) or a range (0-4)",
        ),
        (SEEDS, [-1], f"{SEEDS}[0]:", "-1 is not a seed; write a whole number"),
        (SEEDS, [1.5], f"{SEEDS}[0]:", "1.5 is not a whole number or text"),
        ("select.tasks", [], "select.tasks:", "the list is empty; give at least one entry"),
        ("select.solvers", ["rk4", "rk4"], "select.solvers:", "'rk4' is given twice; remove one"),
        (
            "test.ratios",
            [1, 0],
            "test.ratios[1]:",
            "0 is out of range; write a value of more than 0",
        ),
        (
            "validity.threshold",
            1.5,
            "validity.threshold:",
            "1.5 is out of range; write a value of at most 1",
        ),
        (
            "validity.threshold",
            "10 %",
            "validity.threshold:",
            "'10 %' is not a number; write a number",
        ),
        (
            "tasks.sphere2.horizon",
            0,
            "tasks.sphere2.horizon:",
            "0 is out of range; write a value of more than 0",
        ),
        (
            "tasks.digits.classes",
            9,
            "tasks.digits.classes:",
            "10 classes, the head 9 outputs; write 10",
        ),
        (
            "tasks.digits.data.test",
            1797,
            "tasks.digits.data.test:",
            "write a value of at most 1787",
        ),
        ("tasks.digits", None, "tasks.digits:", "no value is given; write keys with values"),
        (
            "protocols.digits.batch",
            None,
            "protocols.digits.batch:",
            "no value is given; write a whole number",
        ),
        (
            "figures.flow.fine",
            63,
            "figures.flow.fine:",
            "63 is not trained; write one of steps.sphere2.euler = [2",
        ),
        (
            "figures.flow.coarse",
            3,
            "figures.flow.coarse:",
            "3 is not trained; write one of steps.sphere2.euler",
        ),
        ("figures.flow.solver", "rk4", "figures.flow.fine:", "128 is not trained"),
        (
            "figures.flow.seed",
            5,
            "figures.flow.seed:",
            "seed 5 is not trained; write one of select.seeds",
        ),
        (
            "figures.flow.task",
            "digits",
            "figures.flow.fine:",
            "128 is not trained; write one of steps.digits.euler",
        ),
        ("results", "", "results:", "write a path without braces"),
        ("results", "-o", "results:", "begins with neither - nor ~"),
        ("results", "a{b}", "results:", "write a path without braces"),
    ],
)
def test_a_value_that_cannot_be_used_is_told_with_its_place_and_a_remedy(
    key, value, where, what, study
):
    message = complaint(changed(study, key, value))
    assert message.startswith(where)
    assert what in message


@pytest.mark.parametrize(
    "key", ["select", "select.seeds", "tasks.sphere2.data", "networks.conv32.channels", "protocols"]
)
def test_a_missing_key_is_told_with_the_place_where_to_add_it(key, study):
    parent, _, name = key.rpartition(".")
    message = complaint(changed(study, key, MISSING))
    assert message == f"{parent or '(top level)'}: the key '{name}' is missing; add it"


@pytest.mark.parametrize(
    "key", ["tasks.sphere2.data.family", "networks.conv32.family", "controllers.random.family"]
)
def test_a_missing_family_is_told_as_such_and_no_other_key_blamed(key, study):
    parent, _, name = key.rpartition(".")
    assert (
        complaint(changed(study, key, MISSING)) == f"{parent}: the key '{name}' is missing; add it"
    )


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("1e-3", "1.0e-3"),
        ("1.5E3", "1.5e+3"),
        ("2e+5", "2.0e+5"),
        ("1.e-4", "1.e-4"),
        ("1.0e3", "1.0e+3"),
    ],
)
def test_a_number_that_yaml_reads_as_text_is_told_with_the_spelling_it_reads_as_a_number(
    text, remedy, study
):
    value = yaml.safe_load(text) if isinstance(yaml.safe_load(text), str) else text
    key = "protocols.digits.learning_rate"
    message = complaint(changed(study, key, value))
    assert message == f"{key}: {text!r} is text to YAML; write {remedy}, with a decimal point"
    assert yaml.safe_load(remedy) == float(text)


@pytest.mark.parametrize("text", ["inf", "nan", "infinity", "1_0e-3"])
def test_a_spelling_that_is_suggested_is_always_a_number_to_yaml(text, study):
    message = complaint(changed(study, "protocols.digits.learning_rate", text))
    _, _, remedy = message.partition("; write ")
    suggested = yaml.safe_load(remedy.removesuffix(", with a decimal point"))
    assert remedy == "a number" or isinstance(suggested, float)


@pytest.mark.parametrize("value", [math.inf, math.nan])
@pytest.mark.parametrize(
    "key", ["tasks.sphere2.horizon", "protocols.digits.learning_rate", "validity.threshold"]
)
def test_a_number_that_is_not_finite_is_refused(key, value, study):
    assert complaint(changed(study, key, value)).startswith(f"{key}:")


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_ratio_that_is_not_finite_is_refused(value, study):
    assert complaint(changed(study, "test.ratios", [1, value])).startswith("test.ratios[1]:")


def test_an_unknown_key_is_told_before_the_missing_one_it_was_meant_for(study):
    renamed = changed(study, "protocols.digits.learning_rate", MISSING)
    renamed["protocols"]["digits"]["learning-rate"] = 0.1
    assert complaint(renamed).startswith(
        "protocols.digits.learning-rate: unknown key; did you mean 'learning_rate'?"
    )


def test_a_flow_whose_state_is_not_two_dimensional_is_refused(study):
    message = complaint(merged(study, {"figures": {"flow": {"task": "digits", "fine": 32}}}))
    assert (
        message
        == "figures.flow.task: the state of 'digits' is not 2-d; write a task whose state is"
    )


def test_a_task_that_is_not_selected_needs_no_steps_and_no_flow_that_was_trained(study):
    without = changed(changed(study, "select.tasks", ["digits"]), "steps.sphere2", MISSING)
    assert load(without)["figures"]["flow"]["task"] == "sphere2"


@pytest.fixture
def files(tmp_path, study):
    base, overlay = tmp_path / "config.yaml", tmp_path / "mine.yaml"
    base.write_text(yaml.safe_dump(study), encoding="utf-8")
    return base, overlay


@pytest.mark.parametrize(
    ("overlaid", "key"),
    [
        ({"steps": {"sphere2": {"euler": [0]}}}, "steps.sphere2.euler[0]"),
        ({"select": {"seeds": ["4-0"]}}, "select.seeds[0]"),
        ({"select": {"task": ["digits"]}}, "select.task"),
        ({"tasks": {"sphere2": {"network": "none"}}}, "tasks.sphere2.network"),
        ({"tasks": {"digits": {"classes": 3}}}, "tasks.digits.classes"),
    ],
)
def test_a_mistake_of_an_overlay_names_the_overlay(overlaid, key, files, study):
    base, overlay = files
    overlay.write_text(yaml.safe_dump(overlaid), encoding="utf-8")
    assert complaint(merged(study, overlaid), files).startswith(f"{overlay}: {key}: ")
    assert complaint(merged(study, overlaid), [str(base), str(overlay)]).startswith(
        f"{overlay}: {key}: "
    )


@pytest.mark.parametrize("overlaid", ["select: {seeds: [7]}", "steps: {digits: {euler: [3]}}"])
def test_a_mistake_of_the_base_names_the_base_whatever_overlay_follows(overlaid, files, study):
    base, overlay = files
    wrong = changed(study, "protocols.digits.batch", 0)
    base.write_text(yaml.safe_dump(wrong), encoding="utf-8")
    overlay.write_text(overlaid, encoding="utf-8")
    config = merged(wrong, yaml.safe_load(overlaid))
    assert complaint(config, files).startswith(f"{base}: protocols.digits.batch: 0 is out of range")


def test_a_mistake_of_both_files_names_the_one_that_was_read_last(files, study):
    _, overlay = files
    overlaid = {"protocols": {"digits": {"batch": 0}}}
    overlay.write_text(yaml.safe_dump(overlaid), encoding="utf-8")
    assert complaint(merged(study, overlaid), files).startswith(
        f"{overlay}: protocols.digits.batch:"
    )


wrong_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=5),
    st.lists(st.integers(-2, 3), max_size=3),
    st.dictionaries(
        st.sampled_from(["family", "euler", "seed", "x"]), st.integers(-1, 2), max_size=2
    ),
)


def leaves(config, path=()):
    """Dotted paths of all keys below some configuration."""
    for key, value in config.items():
        yield ".".join([*path, key])
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))


@given(st.sampled_from(sorted(leaves(MINIMAL))), wrong_values)
def test_any_value_anywhere_is_either_accepted_or_refused_in_one_line(key, value):
    try:
        load(changed(MINIMAL, key, value))
        lines = ["accepted"]
    except InputError as error:
        lines = str(error).splitlines()
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("entries", "blocks"),
    [
        (["0-4"], [(0, 1, 2, 3, 4)]),
        ([5], [(5,)]),
        (["5"], [(5,)]),
        (["0-1", 7, "3-3", "10-12"], [(0, 1), (7,), (3,), (10, 11, 12)]),
        ([], []),
    ],
)
def test_entries_of_seeds_are_blocks(entries, blocks):
    assert seed_blocks(entries) == blocks


@pytest.mark.parametrize("entry", ["4-0", "a", "1-2-3", "", "-1", "1.0", "0 - 4"])
def test_an_entry_that_is_no_block_of_seeds_is_refused(entry):
    with pytest.raises(ValueError, match="write"):
        seed_blocks([entry])


def schema_keys(node, path=()):
    """(dotted path, schema) of every key in a schema, conditions apart."""
    for name, subschema in node.get("properties", {}).items():
        yield ".".join([*path, name]), subschema
        yield from schema_keys(subschema, (*path, name))
    if isinstance(node.get("additionalProperties"), dict):
        yield from schema_keys(node["additionalProperties"], (*path, "*"))
    for name, definition in node.get("$defs", {}).items():
        yield from schema_keys(definition, (name,))


def test_every_key_of_the_schema_has_a_description():
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    keys = dict(schema_keys(schema))
    assert len(keys) > 30
    assert [
        key
        for key, subschema in keys.items()
        if "type" in subschema and not subschema.get("description")
    ] == []
    assert [
        key for key, subschema in keys.items() if not {"type", "enum", "const"} & subschema.keys()
    ] == []


def groups(node):
    """All parts of a schema that name keys, conditions apart."""
    if isinstance(node, dict):
        yield from [node] if "properties" in node else []
        for name, part in node.items():
            yield from groups(part) if name != "if" else []
    if isinstance(node, list):
        for part in node:
            yield from groups(part)


def test_every_group_of_keys_in_the_schema_refuses_others_or_leaves_that_to_its_families():
    named = list(groups(yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))))
    assert len(named) > 10
    for group in named:
        assert group.get("additionalProperties") is False or all(
            "$ref" in part["then"] for part in group["allOf"]
        )


def test_defaults_of_the_schema_are_valid_themselves():
    filled = load(MINIMAL)
    assert load(filled) == filled


def test_the_default_study_says_what_the_defaults_say(study):
    filled = load(MINIMAL)
    assert study["results"] == filled["results"]
    assert study["test"]["ratios"] == filled["test"]["ratios"]
    assert study["validity"] == filled["validity"]


def test_files_are_merged_as_snakemake_merges_them(tmp_path):
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text("a: {b: 1, c: [1, 2]}\nd: 4\n", encoding="utf-8")
    two.write_text("a: {c: [3], e: 5}\nd: {f: 6}\n", encoding="utf-8")
    assert read([one, two]) == {"a": {"b": 1, "c": [3], "e": 5}, "d": {"f": 6}}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "there is no such file; name one"),
        ("select: {seeds: [0-4}\n", "line 1 is not YAML"),
        ("a: 1\n\tb: 2\n", "line 2 is not YAML"),
        ("- select\n", "there are no keys at its top"),
        ("", "there are no keys at its top"),
        (b"select: {tasks: [\xe9]}\n", "not text in UTF-8"),
        ("select: \x07\n", "not text in UTF-8"),
    ],
    ids=["missing", "bracket", "tab", "list", "empty", "latin", "control"],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path, text, complaint):
    file = tmp_path / "my.yaml"
    if text is not None:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=complaint) as caught:
        read([CONFIG / "config.yaml", file])
    assert str(caught.value).startswith(f"{file}: ")
    assert "\n" not in str(caught.value)


def test_the_command_line_tells_what_a_configuration_implies(tmp_path, capsys):
    file = tmp_path / "my.yaml"
    file.write_text(
        "select: {tasks: [digits], solvers: [euler]}\nsteps: {digits: {euler: [1, 2]}}\n",
        encoding="utf-8",
    )
    assert main(["check", str(CONFIG / "config.yaml"), str(file)]) == 0
    config = load(read([CONFIG / "config.yaml", file]))
    assert capsys.readouterr().out.splitlines() == [
        "digits with euler: 2 trained",
        "digits with euler: 10 controlled",
        "not trained, for their solvers are not selected: "
        "tolerances.digits.fehlberg2, tolerances.digits.dopri5",
        "12 cells, each a training and an evaluation",
        sizing(Study(config).cells),
    ]
    file.write_text("selekt: {}\n", encoding="utf-8")
    assert main(["check", str(CONFIG / "config.yaml"), str(file)]) == 2
    message = f"solverproof: {file}: selekt: unknown key; did you mean 'select'?\n"
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("selection", ["steps", "tolerances", "controlled"])
def test_null_in_a_selection_selects_nothing_below_it(selection, study):
    chosen = study[selection]
    task = "sphere2"
    (solver, *_) = chosen[task]
    assert load(changed(study, selection, None))[selection] == {}
    assert load(changed(study, f"{selection}.{task}", None))[selection] == {**chosen, task: {}}
    without = load(changed(study, f"{selection}.{task}.{solver}", None))[selection]
    assert without == {**chosen, task: {**chosen[task], solver: []}}


@pytest.mark.parametrize(
    ("key", "known"),
    [
        ("tasks", ""),
        ("networks", ""),
        ("protocols", ""),
        ("select", ": tasks, solvers, seeds"),
        ("test", ": ratios, tolerance_ratios, solvers"),
        ("solvers", ""),
    ],
)
def test_null_in_place_of_definitions_is_refused(key, known, study):
    message = complaint(changed(study, key, None))
    assert message == f"{key}: no value is given; write keys with values{known}"


@pytest.mark.parametrize(
    ("overlaid", "key"),
    [
        ("controlled: {}", "controlled"),
        ("steps: {}", "steps"),
        ("tolerances: {digits: {}}", "tolerances.digits"),
    ],
)
def test_an_empty_mapping_in_an_overlay_is_refused_where_null_is_meant(overlaid, key, files):
    base, overlay = files
    overlay.write_text(overlaid, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read([base, overlay])
    remedy = "{} changes nothing here; write null to select nothing"
    assert str(caught.value) == f"{overlay}: {key}: {remedy}"
    # as a base, even one that is named again, it does say that nothing is selected
    assert read([overlay, overlay]) == yaml.safe_load(overlaid)


def test_an_empty_mapping_that_is_no_selection_stands_in_an_overlay(files):
    base, overlay = files
    overlay.write_text("networks: {own: {family: module, options: {}}}", encoding="utf-8")
    assert read([base, overlay])["networks"]["own"]["options"] == {}


MINE = """
solvers:
  kutta3:
    order: 3
    c: [0, "1/2", 1]
    a: [[], ["1/2"], [-1, 2]]
    b: ["1/6", "2/3", "1/6"]
    source: Kutta 1901
"""


def test_the_command_line_lists_all_solvers_that_a_study_can_name(tmp_path, capsys):
    assert main(["solvers"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert names == [*SOLVERS, *shipped()]
    file = tmp_path / "my.yaml"
    file.write_text(MINE, encoding="utf-8")
    assert main(["solvers", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [*names, "kutta3"]
    assert lines[-1].split() == ["kutta3", "fixed", "3", "3", "Kutta", "1901"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINE.replace("2/3", "1/3"), "solvers.kutta3.order: the condition sum b_i = 1 fails"),
        (MINE.replace("order", "ordr"), "solvers.kutta3.ordr: unknown key; did you mean 'order'?"),
        ("solvers: 3", "solvers: 3 is not keys with values; write keys with values"),
    ],
)
def test_a_solver_that_cannot_be_listed_is_told_in_one_line(text, message, tmp_path, capsys):
    file = tmp_path / "my.yaml"
    file.write_text(text, encoding="utf-8")
    assert main(["solvers", str(file)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"solverproof: {file}: {message}")


def test_more_cells_than_a_study_should_have_are_counted_before_they_are_made():
    blocks = [f"{1000 * i}-{1000 * i + 999}" for i in range(20)]
    many = changed(MINIMAL, "select.seeds", blocks)
    assert len(Study(load(many)).cells) == 20
    controller = {"family": "random", "steps": [1, 2]}
    drawn = {
        **many,
        "controllers": {"drawn": controller},
        "controlled": {"toy": {"rk4": ["drawn"]}},
    }
    assert complaint(drawn) == (
        f"select.seeds: 20020 cells are selected; write at most {MOST_CELLS}, and the others apart"
    )
    more = changed(MINIMAL, "select.seeds", [*blocks, 10**6])
    assert complaint(more) == f"select.seeds: more than {MOST_CELLS} seeds; write fewer"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"a": date(2026, 1, 2)}, "networks.net.options.a: datetime.date(2026, 1, 2) is no text,"),
        ({"a": [b"x"]}, "networks.net.options.a[0]: b'x' is no text, number, list or mapping"),
        ({"a": {1: 2}}, "networks.net.options.a.1: the key 1 is no text; put it in quotes"),
    ],
)
def test_values_that_only_other_programs_can_give_are_told(options, message):
    own = {"family": "module", "path": "mine:Field", "options": options}
    assert complaint(changed(MINIMAL, "networks.net", own)).startswith(message)


@pytest.mark.parametrize("place", ["file", "file/below", "file/below/that", "fifo"])
def test_results_below_what_is_no_folder_are_refused(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    os.mkfifo("fifo")
    name = place.partition("/")[0]
    message = f"results: '{name}' is no folder; write another path"
    assert complaint({**MINIMAL, "results": place}) == message
