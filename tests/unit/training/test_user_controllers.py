"""Controllers that are the user's own."""

import math
from io import BytesIO

import numpy as np
import pytest
import torch
from defined import trained
from test_loop import data_of, spec_of

from solverproof.errors import InputError
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.training.controllers.base import Controller

SOURCE = """
import random

import numpy as np


class Doubling:
    def __init__(self, stream, first=2, every=3):
        self.value, self.every = first, every

    def choose(self, iteration, measure):
        if iteration % self.every == 0:
            self.seen = [measure(self.value), measure(2 * self.value), measure(self.value, "rk4")]
            self.value *= 2
        return self.value


class Drawing:
    def __init__(self, stream):
        self.random = random.Random(stream)

    def choose(self, iteration, measure):
        return self.random.randint(1, 9)

    def state_dict(self):
        return {"random": list(self.random.getstate()[1])}

    def load_state_dict(self, state):
        self.random.setstate((3, tuple(state["random"]), None))


class Loosening:
    def __init__(self, stream):
        pass

    def choose(self, iteration, measure):
        return 0.001 * iteration


class Choosing:
    def __init__(self, stream, value):
        self.value = value

    def choose(self, iteration, measure):
        return self.value


class Asking(Choosing):
    def choose(self, iteration, measure):
        measure(4, self.value)


class Numpy:
    def __init__(self, stream):
        self.known, self.random = {"sizes": [(1, None)]}, np.random.default_rng(stream)


class NumpyKept(Numpy):
    def choose(self, iteration, measure):
        return int(self.random.integers(1, 9))

    def state_dict(self):
        return {"random": self.random.bit_generator.state}

    def load_state_dict(self, state):
        self.random.bit_generator.state = state["random"]


class Silent:
    def __init__(self, stream):
        pass
"""
EULER, DOPRI = SOLVERS["euler"], SOLVERS["dopri5"]


@pytest.fixture(autouse=True)
def module(importable):
    importable("my_rules", SOURCE)


def controller(name, solvers=(), **options):
    definition = {"family": "module", "path": f"my_rules:{name}", "probe_every": 5}
    return Controller.of({**definition, "options": options, "solvers": list(solvers)}, SOLVERS)


def schedule(name, solver=EULER, stream=7, **keys):
    return controller(name, **keys).schedule(solver, seed=0, stream=stream)


def train(chosen):
    recorded = []

    def recording(batch):
        recorded.append(chosen(batch))
        return recorded[-1]

    data = data_of("sphere2", "float32")
    result = trained(spec_of("sphere2", seeds=[0], iterations=6, history_every=1), data, recording)
    return recorded, result


def test_every_iteration_is_trained_with_what_the_rule_chooses_and_the_last_is_deployed():
    chosen = schedule("Doubling", solvers=["rk4"])
    settings, result = train(chosen)
    assert settings == [Setting.of(EULER, n) for n in (2, 2, 4, 4, 4, 8)]
    assert [row["steps"] for row in result.history] == [2, 2, 4, 4, 4, 8]
    assert chosen.deployed == Setting.of(EULER, 8)


def test_what_the_rule_measures_is_counted_and_is_the_score_on_the_batch():
    chosen = schedule("Doubling", solvers=["rk4"])
    train(chosen)
    assert all(0 <= seen <= 1 for seen in chosen.rule.seen)
    first, second, third = chosen.checks
    assert (first.iteration, first.steps, first.decision) == (1, 2, "keep")
    assert (second.iteration, second.steps, second.decision) == (3, 4, "shrink")
    # two steps, four steps, and two steps of four stages
    assert second.monitoring_nfe == 2 + 4 + 2 * 4
    assert third.monitoring_nfe == second.monitoring_nfe + 4 + 8 + 4 * 4


def test_a_rule_may_choose_tolerances():
    settings, _ = train(schedule("Loosening", DOPRI))
    assert [setting.tolerance for setting in settings] == pytest.approx(
        [0.001 * k for k in range(1, 7)]
    )


def reloaded(state):
    """A state as checkpoints load it, without running code."""
    saved = BytesIO()
    torch.save(state, saved)
    saved.seek(0)
    return torch.load(saved, weights_only=True)


@pytest.mark.parametrize("name", ["Doubling", "Drawing", "NumpyKept"])
def test_a_rule_goes_on_from_its_state_as_if_it_had_never_stopped(name):
    keys = {"solvers": ["rk4"]} if name == "Doubling" else {}
    first = schedule(name, **keys)
    train(first)
    state = first.state_dict()
    state["rule"] = reloaded(state["rule"])
    again = schedule(name, stream=99, **keys)
    again.load_state_dict(state)
    assert again.deployed == first.deployed
    assert again.checks == first.checks
    assert train(again)[0] == train(first)[0]


def test_a_state_that_no_checkpoint_keeps_is_told_before_training():
    with pytest.raises(InputError, match="no checkpoint keeps 'random' with its Generator; make"):
        schedule("Numpy")


def test_seeds_draw_from_streams_of_their_own():
    one, same, other = (train(schedule("Drawing", stream=s))[0] for s in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("value", [0, -1, 10**9, 2.0, 2.5, True, None, "4", math.nan])
def test_what_is_no_number_of_steps_is_told(value):
    with pytest.raises(
        InputError, match=r"my_rules:Choosing: .* was chosen; choose a whole number"
    ):
        train(schedule("Choosing", value=value))


@pytest.mark.parametrize(
    ("solver", "value"), [(EULER, np.int64(4)), (DOPRI, np.float64(0.1)), (DOPRI, np.float32(0.5))]
)
def test_numbers_of_numpy_are_as_good_as_those_of_python(solver, value):
    (first, *_), _ = train(schedule("Choosing", solver, value=value))
    assert type(first.value) in {int, float}
    assert first.value == value
    assert reloaded(schedule("Choosing", solver, value=[value]).state_dict()["rule"]) == {
        "value": [value]
    }


@pytest.mark.parametrize("value", [0.0, -0.1, math.inf, "0.1"])
def test_what_is_no_tolerance_is_told(value):
    with pytest.raises(InputError, match=r"my_rules:Choosing: .*choose a positive tolerance"):
        train(schedule("Choosing", DOPRI, value=value))


def test_a_solver_that_was_not_named_is_told_with_those_that_were():
    with pytest.raises(InputError, match=r"no solver 'rk4'; name it under solvers \(euler\)"):
        train(schedule("Asking", value="rk4"))


def test_a_class_without_its_method_is_told():
    with pytest.raises(InputError, match=r"my_rules:Silent: AttributeError: .*'choose'"):
        train(schedule("Silent"))


def test_a_solver_of_another_kind_does_not_fit():
    assert (
        controller("Doubling", solvers=["rk4"]).misfit(DOPRI).startswith("rk4 is not of the kind")
    )
    assert controller("Doubling", solvers=["rk4"]).misfit(EULER) is None


def test_measuring_leaves_no_gradient_and_no_trace_in_the_training():
    class Curious:
        value = 3

        def choose(self, _, measure):
            measure(5)
            return 3

    plain, curious = schedule("Choosing", value=3), schedule("Choosing", value=3)
    curious.rule = Curious()
    one, two = train(plain)[1], train(curious)[1]
    assert all(torch.equal(p, two.parameters[name]) for name, p in one.parameters.items())
