"""A set-point in a training loop of one's own, through torchdiffeq alone."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torchdiffeq import odeint

from solverproof import InputError, PaperController, StepController

TIMES = torch.tensor([0.0, 1.0])
SAMPLES = 64


class Field(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, 2))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, t, z):
        del t
        return self.layers(z)


class Counted:
    def __init__(self, field):
        self.field, self.calls = field, 0

    def __call__(self, t, z):
        self.calls += 1
        return self.field(t, z)


@pytest.fixture
def z0():
    return torch.randn(SAMPLES, 2, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Field(), nn.Linear(2, 3)


@pytest.mark.parametrize(("solver", "stages"), [("euler", 1), ("rk4", 4), ("ssprk3", 3)])
def test_odeint_takes_as_many_steps_as_are_drawn(model, z0, solver, stages):
    controller = StepController(*model, solver=solver, first_steps=5, spread=1)
    for _ in range(20):
        method, options = controller.setting(z0)
        field = Counted(model[0])
        odeint(field, z0, TIMES, method=method, options=options)
        assert field.calls == stages * controller.deployed.steps


def test_a_penalty_takes_half_as_many_steps_as_were_drawn(model, z0):
    controller = StepController(*model, solver="rk4", first_steps=16)
    drawn = set()
    for _ in range(20):
        method, options = controller.setting(z0)
        field, fewer = Counted(model[0]), Counted(model[0])
        odeint(field, z0, TIMES, method=method, options=options)
        method, options = controller.coarser()
        odeint(fewer, z0, TIMES, method=method, options=options)
        assert fewer.calls == 4 * (field.calls // 4 // 2)
        drawn.add(field.calls)
    assert len(drawn) > 1


def test_no_more_steps_are_drawn_than_are_deployed_and_no_fewer_than_a_spread_of_them(model, z0):
    controller = StepController(*model, solver="euler", first_steps=64, spread=4)
    calls = set()
    for _ in range(60):
        method, options = controller.setting(z0)
        field = Counted(model[0])
        odeint(field, z0, TIMES, method=method, options=options)
        most = controller.deployed.steps
        assert most / 4 <= field.calls <= most
        calls.add(field.calls)
    assert len(calls) > 3


def test_nothing_of_the_model_is_changed(model, z0):
    field, head = model
    head(field(0, z0)).sum().backward()
    before = copy.deepcopy((field, head))
    gradients = [p.grad.clone() for p in field.parameters()]
    random = torch.get_rng_state()
    controller = StepController(field, head)
    controller.setting(z0)
    assert controller.nfe > 0
    for now, then in zip(model, before, strict=True):
        for name, value in now.state_dict().items():
            assert torch.equal(value, then.state_dict()[name])
        assert now.training
    for p, gradient in zip(field.parameters(), gradients, strict=True):
        assert torch.equal(p.grad, gradient)
    assert torch.equal(torch.get_rng_state(), random)


def test_steps_follow_a_field_that_becomes_stiffer(z0):
    speed = [1.0]

    def turning(z):
        return speed[0] * torch.stack([-z[:, 1], z[:, 0]], 1)

    controller = StepController(turning, nn.Linear(2, 2), solver="rk4", shortest=5, longest=10)
    found = []
    for speed[0] in (1.0, 20.0, 1.0):
        for _ in range(400):
            controller.setting(z0)
        found.append(controller.deployed.steps)
    assert found[0] < found[1] > found[2]
    assert found[1] >= 8


def test_two_states_backwards_in_time_and_a_field_of_time():
    def field(t, state):
        position, velocity = state
        return velocity, -position * (1 + t)

    z0 = (torch.randn(SAMPLES, 1), torch.randn(SAMPLES, 1))
    controller = StepController(field, interval=(1.0, -1.0), solver="midpoint", spread=1)
    for _ in range(30):
        method, options = controller.setting(z0)
    ends = odeint(field, z0, torch.tensor([1.0, -1.0]), method=method, options=options)
    assert ends[0].shape == (2, SAMPLES, 1)
    assert controller.last.excess <= 1


def test_values_have_their_relative_error_or_the_users_own_for_a_set_point(z0):
    def decay(_, z):
        return -z

    plain = StepController(decay, solver="euler", first_steps=4, spread=1, accept=0.05)
    plain.setting(z0)
    coarse, fine = (1 - 1 / 4) ** 4, (1 - 1 / 16) ** 16
    assert plain.last.excess == pytest.approx((fine - coarse) / fine / 0.05 * 4 / 3, rel=1e-4)

    def absolute(one, other):
        return (one - other).abs().amax(1)

    own = StepController(
        decay, nn.Identity(), solver="euler", first_steps=4, spread=1, compare=absolute
    )
    own.setting(torch.ones(SAMPLES, 2))
    assert own.last.excess == pytest.approx((fine - coarse) / 0.01 * 4 / 3, rel=1e-4)


def test_it_goes_on_from_a_checkpoint(model, z0, tmp_path):
    one, other = (StepController(*model, solver="euler", shortest=2, longest=8) for _ in range(2))
    for _ in range(30):
        one.setting(z0)
    torch.save(one.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert other.deployed == one.deployed
    assert other.nfe == one.nfe
    for _ in range(30):
        drawn = [controller.setting(z0)[1]["grid_constructor"] for controller in (one, other)]
        lengths = [len(grid(None, None, TIMES)) for grid in drawn]
        assert lengths[0] == lengths[1]


def turning(speed):
    return lambda z: speed * torch.stack([-z[:, 1], z[:, 0]], 1)


def sides(z):
    return torch.stack([z[:, 0], -z[:, 0]], 1)


def test_what_goes_on_from_a_checkpoint_follows_the_keys_it_was_given(z0):
    old = StepController(turning(60.0), sides, most_steps=16, shortest=1, longest=1)
    with pytest.warns(UserWarning, match="rk4 with 16 steps is too coarse, and most_steps"):
        [old.setting(z0) for _ in range(20)]
    new = StepController(turning(60.0), sides, most_steps=500, shortest=1, longest=1)
    new.load_state_dict(old.state_dict())
    assert new.deployed == old.deployed
    for _ in range(50):
        new.setting(z0)
    assert new.deployed.steps > 100
    assert new.last.excess < 2


def test_a_step_that_was_halved_after_a_test_grows_no_more_after_a_checkpoint(model, z0):
    one, other = (StepController(*model, first_steps=8, shortest=1, longest=1) for _ in range(2))
    one.point.refine()
    other.load_state_dict(one.state_dict())
    for _ in range(20):
        other.setting(z0)
    assert other.deployed.steps == one.deployed.steps == 16


def test_a_limit_that_leaves_no_finer_step_is_told():
    controller = StepController(turning(9.0), sides, most_steps=4, first_steps=4, accept=0.05)
    held_out = torch.randn(200, 2, generator=torch.Generator().manual_seed(1))
    with pytest.warns(UserWarning, match="rk4 with 4 steps did not pass, and most_steps"):
        assert not controller.confirm(held_out)
    assert controller.deployed.steps == 4


class Normed(nn.Module):
    """A field and a head that are methods, with statistics that every call in training moves."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.norm = nn.BatchNorm1d(2)

    def field(self, t, z):
        del t
        return self.layers(z)

    def head(self, z):
        return self.norm(z)


def test_methods_of_a_module_are_those_of_a_copy(z0):
    model = Normed()
    StepController(model.field, model.head).setting(z0)
    assert {int(value) for value in model.state_dict().values() if value.dim() == 0} == {0}


def test_a_layer_in_training_mode_is_told_where_a_model_is_to_be_confirmed(z0):
    model = Normed()
    controller = StepController(model.field, model.head, accept=0.2)
    with pytest.raises(InputError, match=r"BatchNorm1d is in training mode: call \.eval\(\)"):
        controller.confirm(z0)


class Noisy(nn.Module):
    """A field that draws its noise once, and keeps what it made, with its graph."""

    def __init__(self):
        super().__init__()
        self.layer, self.noise, self.graphs = nn.Linear(2, 2), None, []

    def forward(self, t, z):
        del t
        if self.noise is None:
            self.noise = torch.randn_like(z)
        made = self.layer(z) + self.noise
        self.graphs.append(made.requires_grad)
        return made


@pytest.mark.parametrize("rule", [StepController, PaperController])
def test_checks_draw_from_no_stream_of_the_users_and_build_no_graphs(z0, rule):
    field, head, seen = Noisy(), nn.Linear(2, 2), []
    field.__deepcopy__ = lambda memo: copied_with(field, memo, seen)
    random = torch.get_rng_state()
    labels = [torch.zeros(SAMPLES, dtype=torch.long)] if rule is PaperController else []
    rule(field, head).setting(z0, *labels)
    assert torch.equal(torch.get_rng_state(), random)
    assert seen
    assert not any(seen)


def copied_with(field, memo, seen):
    """A copy that tells the original what its evaluations made."""
    own = Noisy()
    own.layer, own.graphs = copy.deepcopy(field.layer, memo), seen
    return own


@pytest.mark.parametrize("rule", [StepController, PaperController])
def test_under_autocast_checks_keep_the_precision_of_the_states(model, z0, rule):
    labels = [torch.zeros(SAMPLES, dtype=torch.long)] if rule is PaperController else []
    keys = {"every": 1} if rule is PaperController else {}
    found = []
    for enabled in (False, True):
        controller = rule(*model, first_steps=2, **keys)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            controller.setting(z0, *labels)
            assert torch.is_autocast_enabled("cpu") == enabled
        found.append(controller.state_dict())
    assert found[0] == found[1]


def test_a_value_of_the_batch_in_a_buffer_may_hang_on_a_graph(z0):
    class Conditional(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)
            self.register_buffer("context", None, persistent=False)

        def forward(self, t, z):
            del t
            return self.layer(torch.cat([z, self.context], 1))

    field = Conditional()
    field.context = nn.Linear(3, 2)(torch.randn(SAMPLES, 3))
    controller = StepController(field)
    controller.setting(z0)
    assert controller.last.excess < math.inf


@pytest.mark.parametrize("ends", [(0.0, 1.0), (1.0, -1.0), (100.0, 100.7)])
@pytest.mark.parametrize("steps", [1, 2, 7, 20, 97])
def test_states_in_between_are_as_good_as_the_last(ends, steps):
    def decay(_, z):
        return -z / abs(ends[1] - ends[0])

    method, options = StepController(decay, interval=ends, first_steps=steps, spread=1).setting(
        torch.ones(2, 1, dtype=torch.float64)
    )
    h = 1 / len(options["grid_constructor"](None, None, torch.tensor(ends))[1:])
    times = torch.linspace(*ends, 21, dtype=torch.float64)
    start = torch.ones(2, 1, dtype=torch.float64)
    found = odeint(decay, start, times, method=method, options=options)
    grid = options["grid_constructor"](decay, start, times)
    assert grid.diff().abs().max() <= h * abs(ends[1] - ends[0]) * (1 + 1e-4)
    assert len(grid) <= round(1 / h) + 20 + 1
    assert set(times.tolist()) <= set(grid.tolist())
    sign = math.copysign(1, ends[1] - ends[0])
    flow = torch.exp(-sign * torch.linspace(0, 1, 21, dtype=torch.float64))
    assert (found[:, 0, 0] - flow).abs().max() <= h**4 / 20


def test_a_model_that_is_trained_with_it_predicts_the_same_with_any_finer_step():
    torch.manual_seed(1)
    z0 = torch.randn(256, 2)
    labels = (z0.norm(dim=1) > 1.1).long()
    field, head = Field(32), nn.Linear(2, 2)
    controller = StepController(field, head, solver="midpoint", first_steps=1, shortest=10)
    updates = torch.optim.Adam([*field.parameters(), *head.parameters()], 0.02)
    for _ in range(150):
        method, options = controller.setting(z0)
        end = odeint(field, z0, TIMES, method=method, options=options)[-1]
        updates.zero_grad()
        nn.functional.cross_entropy(head(end), labels).backward()
        updates.step()
    steps = controller.deployed.steps
    with torch.no_grad():
        coarse, fine = (
            head(odeint(field, z0, torch.linspace(0, 1, n + 1), method="midpoint")[-1]).argmax(1)
            for n in (steps, 64 * steps)
        )
    assert (fine == labels).float().mean() > 0.9
    assert (coarse != fine).float().mean() <= 0.02


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"solver": "dopri5"}, "solver dopri5 chooses its own steps; give a fixed-step solver"),
        ({"solver": "eulr"}, "solver: unknown solver 'eulr'; did you mean 'euler'?"),
        ({"accept": 0.0}, "accept is 0.0; give a number between 0 and 1"),
        ({"accept": 1}, "accept is 1; give a number between 0 and 1"),
        ({"accept": math.nan}, "accept is nan; give a number between 0 and 1"),
        ({"accept": "0.1"}, "accept is '0.1'; give a number between 0 and 1"),
        ({"accept": True}, "accept is True; give a number between 0 and 1"),
        ({"spread": math.nan}, "spread is nan; give a number of 1 or more"),
        ({"longest": "400"}, "longest is '400'; give a whole number of 1 or more"),
        ({"first_steps": 2.5}, "first_steps is 2.5; give a whole number of 1 or more"),
        ({"spread": 0.5}, "spread is 0.5"),
        ({"spread": "4"}, "spread is '4'; give a number of 1 or more"),
        ({"first_steps": 600}, "steps are 600 to 500"),
        ({"shortest": 500}, "checks 500 to 400 apart"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(model, keys, told):
    with pytest.raises(InputError, match=told.replace("?", r"\?")) as failure:
        StepController(*model, **keys)
    assert "\n" not in str(failure.value)


def test_numbers_of_numpy_are_numbers_and_are_kept_as_plain_ones(model, z0, tmp_path):
    numbers = {"first_steps": np.int64(4), "longest": np.int64(90), "spread": np.float64(2)}
    controller = StepController(*model, accept=np.float32(0.01), **numbers)
    assert controller.deployed.steps == 4
    controller.setting(z0)
    torch.save(controller.state_dict(), tmp_path / "state.pt")
    torch.load(tmp_path / "state.pt", weights_only=True)


def test_a_field_that_is_not_the_same_twice_is_told(z0):
    controller = StepController(nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5)))
    with pytest.raises(InputError, match="two evaluations of the field at one state differ"):
        controller.setting(z0)
