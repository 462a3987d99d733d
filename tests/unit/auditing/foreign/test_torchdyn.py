"""A classifier of two moons by torchdyn alone, with its defaults."""

import math

import pytest
import torch
from torch import nn

from solverproof import InputError, Setting, audit, solve, torchdyn_field
from solverproof.ode.shipped import shipped
from solverproof.ode.solvers import defined

pytest.importorskip("torchdyn.core", exc_type=ImportError)
from torchdyn.core import NeuralODE
from torchdyn.models import CNF, hutch_trace
from torchdyn.nn import DataControl, DepthCat
from torchdyn.numerics import odeint


def moons(samples):
    angle, upper = math.pi * torch.rand(samples), torch.arange(samples) % 2
    sign = 1.0 - 2 * upper
    x = torch.stack([sign * angle.cos() + upper, sign * angle.sin() + upper / 2], 1)
    return x + 0.1 * torch.randn(samples, 2), upper


def trained(iterations=250, **solver):
    torch.manual_seed(0)
    field = nn.Sequential(DepthCat(1), nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 2))
    ode, head = NeuralODE(field, return_t_eval=False, **solver), nn.Linear(2, 2)
    optimizer = torch.optim.Adam([*ode.parameters(), *head.parameters()], lr=1e-2)
    for _ in range(iterations):
        x, labels = moons(256)
        loss = nn.functional.cross_entropy(head(ode(x)[-1]), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return ode, head


def audited(ode, head, **call):
    torch.manual_seed(1)
    x, labels = moons(800)
    how = {"head": head, "labels": labels, "candidates": [], "progress": False}
    return audit(torchdyn_field(ode), x, **how, **call)


def test_by_default_euler_takes_one_step_and_what_it_learns_is_one_layer_of_a_resnet():
    ode, head = trained(solver="euler")
    ode.vf.nfe = 0
    x, _ = moons(10)
    end = ode(x)[-1]
    assert ode.vf.nfe == 1
    torch.testing.assert_close(end, x + torchdyn_field(ode)(torch.tensor(0.0), x))
    result = audited(ode, head, solver="euler", steps=1)
    assert (result.verdict, result.kind) == ("FAIL", "solver-bound")
    assert result.measures["labels"]["deployed"] > 0.95
    assert result.measures["labels"]["change_low"] > 0.05


def test_a_model_that_keeps_the_time_of_its_last_adaptive_solve_is_audited():
    ode, head = trained(iterations=10, solver="dopri5")
    result = audited(ode, head, solver="dopri5", tolerance=1e-5)
    assert (result.verdict, result.kind) == ("PASS", "ode")
    assert result.measures["reference"]["float64"]


def test_rk4_of_torchdyn_is_the_classical_method_where_the_field_knows_no_time():
    x, times = moons(10)[0].double(), torch.linspace(0, 1, 3).double()
    classical = defined("classic_rk4", shipped()["classic_rk4"])
    _, theirs = odeint(lambda _, x: -(x**3), x, times, solver="rk4")
    ours = solve(lambda _, x: -(x**3), x, Setting(classical, steps=2), horizon=1.0)
    torch.testing.assert_close(theirs[-1], ours.state)


@pytest.mark.parametrize("steps", [4, 8, 16])
def test_rk4_of_torchdyn_is_of_order_one_where_the_field_depends_on_time(steps):
    """It evaluates at t, t, t + h/2, t + h/2: no solver of that name here is what runs there."""
    times = torch.linspace(0, 1, steps + 1).double()
    _, theirs = odeint(lambda t, x: 2 * t + 0 * x, torch.zeros(1, 1).double(), times, solver="rk4")
    assert theirs[-1].item() == pytest.approx(1 - 0.5 / steps)  # the flow ends at 1


def test_fields_that_depend_on_more_than_time_and_state_are_refused():
    controlled = NeuralODE(nn.Sequential(DataControl(), nn.Linear(4, 2)))
    with pytest.raises(InputError, match="a copy of its initial states"):
        torchdyn_field(controlled)
    noise = torch.distributions.Normal(torch.zeros(2), torch.ones(2))
    drawing = NeuralODE(CNF(nn.Linear(2, 2), trace_estimator=hutch_trace, noise_dist=noise))
    with pytest.raises(InputError, match="draws noise"):
        torchdyn_field(drawing)
