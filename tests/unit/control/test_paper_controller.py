"""The paper's rule in a training loop of one's own, through torchdiffeq alone."""

import json
import math

import pytest
import torch
from torch import nn
from torchdiffeq import odeint

from solverproof import InputError, PaperController
from solverproof.ode.initial_step import initial_step

TIMES = torch.tensor([0.0, 1.0])
SAMPLES = 64


def turning(speed):
    """A field that turns the plane; Euler's steps also carry states outwards."""
    return lambda z: speed * torch.stack([-z[:, 1], z[:, 0]], 1)


def logits(z):
    """Classes by the side of a line on which a state lies."""
    return torch.stack([z[:, 0], -z[:, 0]], 1)


@pytest.fixture
def z0():
    return torch.randn(SAMPLES, 2, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels(z0):
    """The classes of the flow of a quarter turn."""
    return logits(torch.stack([-z0[:, 1], z0[:, 0]], 1)).argmax(1)


def test_odeint_takes_the_steps_of_the_rule_which_looks_now_and_then(z0, labels):
    controller = PaperController(turning(1.0), logits, first_steps=6, every=4)
    for iteration in range(1, 12):
        before = controller.nfe
        method, options = controller.setting(z0, labels)
        assert (controller.nfe > before) == (iteration % 4 == 0)
        calls = []

        def field(_, z, calls=calls):
            calls.append(z)
            return -z

        odeint(field, z0, TIMES, method=method, options=options)
        assert len(calls) == controller.deployed.steps


def test_where_a_better_solver_predicts_otherwise_the_step_is_halved_and_else_it_grows(z0, labels):
    controller = PaperController(turning(math.pi / 2), logits, first_steps=1, every=1)
    controller.setting(z0, labels)  # one step of Euler's turns by less than a quarter
    assert controller.last.move == "shrink"
    assert controller.deployed.steps == 2
    assert controller.last.test.setting.words == "midpoint with 8 steps"  # the root of 50, upwards
    assert controller.last.test.score > 0.9 > controller.last.own.score
    for _ in range(30):
        controller.setting(z0, labels)
    fine = PaperController(turning(math.pi / 2), logits, first_steps=100, every=1)
    fine.setting(z0, labels)
    assert (fine.last.move, fine.deployed.steps) == ("grow", 91)
    assert 2 <= controller.deployed.steps < 91


def test_it_begins_with_hairers_step_where_none_is_given(z0, labels):
    controller = PaperController(turning(0.2), logits, interval=(0.0, 2.0))
    controller.setting(z0, labels)
    step, nfe = initial_step(lambda _, z: 2 * turning(0.2)(z), z0, 1)
    assert controller.deployed.steps == math.ceil(1 / step)
    assert controller.nfe == nfe


def test_values_differ_relative_to_the_smaller_error(z0):
    targets = math.exp(-1) * z0
    still = PaperController(turning(0.0), lambda z: z + 1, threshold=0, first_steps=4, every=1)
    still.setting(z0, targets)  # a field of no motion has no error of the solver's
    assert still.last.move == "grow"
    lenient = PaperController(lambda z: -z, threshold=1e3, first_steps=4, every=1)
    lenient.setting(z0, targets)
    assert lenient.last.own.score > lenient.last.test.score > 0
    assert lenient.last.move == "grow"
    strict = PaperController(lambda z: -z, threshold=1, first_steps=4, every=1)
    strict.setting(z0, targets)
    assert strict.last.move == "shrink"


def test_two_states_backwards_in_time_and_a_field_of_time():
    def field(t, state):
        position, velocity = state
        return velocity, -position * (1 + t)

    def head(state):
        return logits(torch.cat(state, 1))

    z0, times = (torch.randn(SAMPLES, 1), torch.randn(SAMPLES, 1)), torch.tensor([1.0, -1.0])
    ends = odeint(field, z0, times)
    labels = head((ends[0][-1], ends[1][-1])).argmax(1)
    controller = PaperController(field, head, interval=(1.0, -1.0), first_steps=32, every=1)
    method, options = controller.setting(z0, labels)
    assert controller.last.test.score > 0.95
    own = odeint(field, z0, times, method=method, options=options)
    assert (own[0][-1] - ends[0][-1]).abs().max() < 0.3


def test_where_a_solver_gives_up_the_step_shrinks(z0, labels):
    # Later times than 10,000 coincide in float32 when steps are as short as a thousandth.
    ends = (1e4, 1e4 + 0.1)
    controller = PaperController(turning(1.0), logits, interval=ends, first_steps=300, every=1)
    controller.setting(z0, labels)
    assert math.isnan(controller.last.own.score)
    assert math.isnan(controller.last.test.score)
    assert controller.last.move == "shrink"


def test_it_goes_on_from_a_checkpoint(z0, labels):
    one, other = (PaperController(turning(1.5), logits, every=3) for _ in range(2))
    for _ in range(10):
        one.setting(z0, labels)
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    for _ in range(10):
        steps = [
            len(c.setting(z0, labels)[1]["grid_constructor"](None, None, TIMES))
            for c in (one, other)
        ]
        assert steps[0] == steps[1]
        assert one.nfe == other.nfe


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"solver": "dopri5"}, "^solver dopri5 chooses its own steps; give a fixed"),
        (
            {"test_solver": "dopri5"},
            "^test_solver dopri5 chooses its own steps; give a fixed",
        ),
        (
            {"test_solver": "midpont"},
            "test_solver: unknown solver 'midpont'; did you mean 'midpoint'",
        ),
        (
            {"solver": "rk4"},
            "test_solver midpoint is no better than rk4; give one of order above 4",
        ),
        ({"threshold": math.nan}, "threshold is nan; give 0 or more"),
        ({"threshold": "0.1"}, "threshold is '0.1'; give a number"),
        ({"most_steps": None}, "most_steps is None; give a number"),
        ({"shrink": 1.0}, "shrink is 1.0; give a number between 0 and 1"),
        ({"shrink": 0}, "shrink is 0; give a number between 0 and 1"),
        ({"grow": 1.0}, "grow is 1.0; give a number above 1"),
        ({"every": 0}, "every is 0; give 1 or more"),
        ({"first_steps": 0}, "first_steps is 0; give 1 to 500, or None"),
        ({"most_steps": 0}, "most_steps is 0; give 1 or more"),
        ({"first_steps": 600}, "first_steps is 600; give 1 to 500, or None"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(keys, told):
    with pytest.raises(InputError, match=told) as failure:
        PaperController(turning(1.0), logits, **keys)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("targets", [torch.zeros(3, dtype=torch.long), torch.zeros(SAMPLES)])
def test_targets_of_another_shape_are_told(z0, targets):
    controller = PaperController(turning(1.0), logits, every=1)
    with pytest.raises(InputError, match=r"outputs have shape \(64, 2\), targets"):
        controller.setting(z0, targets)


def test_labels_that_are_no_tensor_are_told_at_the_first_batch(z0, labels):
    controller = PaperController(turning(1.0), logits)
    with pytest.raises(InputError, match="targets are of type ndarray; give a tensor"):
        controller.setting(z0, labels.numpy())


def test_a_penalty_takes_half_as_many_steps(z0, labels):
    controller = PaperController(turning(1.0), logits, first_steps=7)
    controller.setting(z0, labels)
    _, options = controller.coarser()
    assert len(options["grid_constructor"](None, None, TIMES)) == 3 + 1


def test_before_the_first_batch_there_is_no_step_to_deploy_with():
    with pytest.raises(InputError, match="ask for a setting first"):
        _ = PaperController(nn.Identity(), logits).deployed
