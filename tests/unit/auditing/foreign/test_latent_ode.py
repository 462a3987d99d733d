"""A latent model of trajectories with f(t, z), trained by torchdiffeq alone: values, no classes.

It predicts where a driven, damped pendulum is at time 4, from angle and angular velocity at time 0.
"""

import pytest
import torch
from torch import nn
from torchdiffeq import odeint

from solverproof import audit, relative_error

TIMES, LATENT = torch.linspace(0, 4, 9), 4


def pendulum(t, state):
    angle, rate = state.unbind(-1)
    return torch.stack([rate, -2 * torch.sin(angle) - 0.2 * rate + torch.cos(2 * t)], -1)


class Velocity(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(LATENT + 2, 48), nn.Tanh(), nn.Linear(48, LATENT))

    def forward(self, t, z):
        phase = torch.stack([torch.cos(2 * t), torch.sin(2 * t)]).to(z).expand(len(z), 2)
        return self.layers(torch.cat([z, phase], 1))


class Latent(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.field = nn.Linear(2, LATENT), Velocity()
        self.decode = nn.Linear(LATENT, 2)


def trained(iterations=60, **solver):
    torch.manual_seed(0)
    model = Latent()
    starts = 2 * torch.rand(256, 2) - 1
    wanted = odeint(pendulum, starts, TIMES, rtol=1e-6, atol=1e-6)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(iterations):
        found = model.decode(odeint(model.field, model.encode(starts), TIMES, **solver))
        loss = (found - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    return model


def audited(model, **call):
    with torch.no_grad():
        z0 = model.encode(2 * torch.rand(400, 2) - 1)
    until = TIMES[-1].item()
    return audit(model.field, z0, head=model.decode, interval=(0.0, until), progress=False, **call)


@pytest.mark.slow
def test_trained_with_rk4_it_is_an_ode_for_which_as_many_steps_of_euler_are_too_few():
    model, rk4 = trained(method="rk4"), {"solver": "rk4", "steps": 8}
    values = {"compare": relative_error, "accept": 0.05}
    fine = audited(model, **rk4, **values, candidates=[])
    assert (fine.verdict, fine.kind) == ("PASS", "ode")
    assert "prediction" not in fine.per_sample
    coarse = audited(model, solver="euler", steps=8, trained=rk4, **values, candidates=[rk4])
    assert (coarse.verdict, coarse.kind) == ("FAIL", "ode")
    assert coarse.measures["order"]["observed"] == pytest.approx(1, abs=0.1)
    assert (coarse.advice.solver, coarse.advice.steps) == ("rk4", 8)


def test_two_numbers_without_a_comparison_would_be_taken_for_logits_of_two_classes():
    result = audited(Latent(), solver="rk4", steps=8, candidates=[])
    assert set(result.per_sample["prediction"]) <= {0, 1}
