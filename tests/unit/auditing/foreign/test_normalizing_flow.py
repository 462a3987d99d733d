"""A continuous normalizing flow with state (z, log p), trained by torchdiffeq alone."""

import math

import torch
from torch import nn
from torchdiffeq import odeint

from solverproof import audit


class Flow(nn.Module):
    """Velocity of the points, and minus its divergence by autograd: the rate of log p."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 32), nn.Tanh(), nn.Linear(32, 2))

    def forward(self, t, state):
        z = state[0]
        with torch.enable_grad():
            z.requires_grad_(True)  # noqa: FBT003  as torchdiffeq's own example has it
            velocity = self.layers(torch.cat([z, t.expand(len(z), 1)], 1))
            trace = sum(
                torch.autograd.grad(velocity[:, i].sum(), z, create_graph=True)[0][:, i]
                for i in range(2)
            )
        return velocity, -trace.unsqueeze(1)


def ring(samples):
    angle = 2 * math.pi * torch.rand(samples)
    radius = 2 + 0.3 * torch.randn(samples)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)


def log_density(state):
    """Of points of the data, from where their flow ends and what it adds to log p."""
    z, gained = state
    normal = -z.square().sum(1, keepdim=True) / 2 - math.log(2 * math.pi)
    return normal - gained


def trained(iterations=60, **solver):
    torch.manual_seed(0)
    flow = Flow()
    optimizer = torch.optim.Adam(flow.parameters(), lr=2e-2)
    for _ in range(iterations):
        x = ring(256)
        # from the data at time 1 to the normal distribution at time 0
        ends = odeint(flow, (x, torch.zeros(256, 1)), torch.tensor([1.0, 0.0]), **solver)
        loss = -log_density([part[-1] for part in ends]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return flow


def off_in_nats(one, other):
    return (one - other).abs().flatten()


def audited(flow, **call):
    torch.manual_seed(1)
    z0 = (ring(400), torch.zeros(400, 1))
    how = {"compare": off_in_nats, "accept": 0.05, "candidates": [], "progress": False}
    return audit(flow, z0, head=log_density, interval=(1.0, 0.0), **how, **call)


def likelihood(flow, **solver):
    torch.manual_seed(1)
    ends = odeint(flow, (ring(400), torch.zeros(400, 1)), **solver)
    return log_density([part[-1] for part in ends]).mean().item()


def test_the_likelihood_of_four_steps_of_euler_is_that_of_no_density():
    flow = trained(method="euler", options={"step_size": 0.25})
    result = audited(flow, solver="euler", steps=4)
    assert (result.verdict, result.kind) == ("FAIL", "solver-bound")
    assert result.disagreement > 0.5
    coarse = likelihood(flow, t=torch.linspace(1, 0, 5), method="euler")
    fine = likelihood(flow, t=torch.tensor([1.0, 0.0]), method="dopri5", rtol=1e-6, atol=1e-6)
    assert coarse > fine + 0.1  # training pushed up what Euler says, and the density did not follow


def test_a_field_that_differentiates_itself_is_audited_with_its_tuple_of_states():
    flow = trained(method="rk4", options={"step_size": 0.25})
    result = audited(flow, solver="rk4", steps=4)
    assert (result.verdict, result.kind) == ("PASS", "ode")
    assert result.measures["reference"]["float64"]
    assert result.measures["growth"]["integral"]["median"] > 0
    assert all(p.requires_grad for p in flow.parameters())
