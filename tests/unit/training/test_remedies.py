"""What may keep a field an ODE: each against its definition, and none without its key."""

import copy
import math

import numpy as np
import pytest
import torch
from defined import classifier_of
from test_loop import EULER, data_of, same_bits, spec_of, steps_of, train

from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.training import remedies
from solverproof.training.remedies import consistency, local_error, random_end

RATE = 0.7
pytestmark = pytest.mark.usefixtures("double_precision")


class Growth:
    """dz/dt = RATE z, whose Euler steps are known in closed form; or RATE t."""

    autonomous = False

    def __init__(self, *, of_time=False):
        self.of_time = of_time

    def bind(self, _):
        return lambda t, z: RATE * (t * torch.ones_like(z) if self.of_time else z)

    def pack(self, z):
        return z

    unpack = pack


@pytest.fixture
def model():
    """A Neural ODE of the study, in which the field is replaced by one that is known."""
    made = classifier_of(spec_of("mlp")["model"], (1, 2))
    return made, made.initial([0, 1])


def grown(model, **keys):
    made, parameters = model
    return type(made)(made.encoder, Growth(**keys), made.head, made.shape, made.horizon), parameters


@pytest.fixture
def x():
    return torch.randn(2, 8, 1, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("steps", "other"), [(6, 3), (7, 3), (1, 2)])
def test_consistency_is_what_half_as_many_steps_change(model, x, steps, other):
    of, parameters = grown(model)
    end = of(parameters, x, steps_of("euler", steps)).state
    values, nfe = consistency(of, parameters, x, steps_of("euler", steps), end)
    factor = (1 + RATE / steps) ** steps - (1 + RATE / other) ** other
    torch.testing.assert_close(values, (factor * x).square().mean((1, 2, 3)))
    assert nfe == other


def test_consistency_of_a_tolerance_is_what_ten_times_of_it_changes(model, x):
    of, parameters = grown(model)
    fine, coarse = (Setting(SOLVERS["bosh3"], tolerance=t) for t in (1e-5, 1e-4))
    one, other = (of(parameters, x, setting).state for setting in (fine, coarse))
    values, _ = consistency(of, parameters, x, fine, one)
    torch.testing.assert_close(values, (one - other).square().mean((1, 2, 3)))
    assert (values > 0).all()


@pytest.mark.parametrize("before", [0, 2, 3])
def test_a_local_error_is_that_of_the_step_that_is_drawn(model, x, before):
    of, parameters = grown(model)

    class Drawn:
        def integers(self, most):
            assert most == 4
            return before

    values, nfe = local_error(of, parameters, x, steps_of("euler", 4), Drawn())
    h = 1 / 4
    start = (1 + RATE * h) ** before * x
    # one step of Euler is off two half ones by (RATE h / 2)^2, here over the length of the step
    torch.testing.assert_close(values, ((RATE * h / 2) ** 2 / h * start).square().mean((1, 2, 3)))
    assert nfe == before + 1 + 2


def test_a_local_error_looks_at_the_time_of_its_step(model, x):
    of, parameters = grown(model, of_time=True)

    class Last:
        def integers(self, most):
            return most - 1

    values, _ = local_error(of, parameters, x, steps_of("midpoint", 4), Last())
    # midpoint is exact for a slope that is linear in time, wherever the step begins
    assert values.abs().max() < 1e-25
    values, _ = local_error(of, parameters, x, steps_of("euler", 4), Last())
    torch.testing.assert_close(values, torch.full((2,), (RATE * (1 / 4) / 4) ** 2))


@pytest.mark.parametrize("penalty", ["consistency", "local_error"])
def test_a_penalty_has_the_order_of_the_solver_in_the_step_size(model, x, penalty):
    of, parameters = grown(model)

    class First:
        def integers(self, _):
            return 0

    def value(solver, steps):
        setting = steps_of(solver, steps)
        if penalty == "local_error":
            return local_error(of, parameters, x, setting, First())[0].sum().item()
        end = of(parameters, x, setting).state
        return consistency(of, parameters, x, setting, end)[0].sum().item()

    for solver, order in (("euler", 1), ("midpoint", 2), ("rk4", 4)):
        slope = math.log2(value(solver, 16) / value(solver, 32)) / 2  # a mean of squares
        assert slope == pytest.approx(order, abs=0.15)


def test_end_times_are_uniform_around_the_horizon(model):
    made, _ = model
    random = np.random.default_rng(0)
    drawn = np.array([random_end(made, 0.4, random).horizon for _ in range(4000)])
    assert 0.6 <= drawn.min() < 0.61
    assert 1.39 < drawn.max() <= 1.4
    assert drawn.mean() == pytest.approx(1, abs=0.02)
    assert drawn.std() == pytest.approx(0.8 / 12**0.5, abs=0.01)


@pytest.mark.parametrize("key", ["random_end", "consistency", "local_error"])
def test_a_remedy_changes_what_is_trained_and_a_seed_in_a_block_as_if_alone(key):
    data, plain = data_of("mlp"), train(spec_of("mlp"), data_of("mlp"))
    together = train(spec_of("mlp", **{key: 0.5}), data)
    assert not same_bits(plain.parameters, together.parameters)
    for i, seed in enumerate([0, 1, 2]):
        alone = train(spec_of("mlp", seeds=[seed], **{key: 0.5}), data)
        for name, p in together.parameters.items():
            torch.testing.assert_close(p[i], alone.parameters[name][0], rtol=1e-9, atol=1e-11)


def test_two_remedies_draw_from_streams_of_their_own(monkeypatch):
    drawn = {"random_end": [], "local_error": []}
    for remedy, function in (("random_end", random_end), ("local_error", local_error)):

        def spied(*given, remedy=remedy, function=function):
            *others, random = given
            drawn[remedy].append(copy.deepcopy(random).random())
            return function(*others, random)

        monkeypatch.setattr(remedies, remedy, spied)
    train(spec_of("mlp", random_end=0.5, local_error=0.5), data_of("mlp"))
    assert len(set(drawn["random_end"]) | set(drawn["local_error"])) == 2 * 5


def test_evaluations_of_penalties_count():
    data = data_of("mlp")
    plain, penalised = (train(spec_of("mlp", **k), data) for k in ({}, {"consistency": 1.0}))
    assert plain.history[-1]["total_nfe"] == 5 * EULER.steps
    assert penalised.history[-1]["total_nfe"] == 5 * (EULER.steps + EULER.steps // 2)
    assert penalised.history[-1]["nfe"] == EULER.steps


def test_a_large_weight_makes_a_model_that_half_as_many_steps_hardly_change():
    data, changes = data_of("mlp"), []
    for weight in (0.0, 100.0):
        result = train(spec_of("mlp", consistency=weight, iterations=150), data)
        model = classifier_of(spec_of("mlp")["model"], (1, 2))
        x = torch.as_tensor(data["train_x"]).expand(3, -1, -1, -1)
        end = model(result.parameters, x, EULER).state
        changes.append(consistency(model, result.parameters, x, EULER, end)[0])
    assert (changes[1] < 0.2 * changes[0]).all()
