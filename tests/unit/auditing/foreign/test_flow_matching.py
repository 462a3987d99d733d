"""Flow matching in two dimensions, by flow_matching alone, deployed with a handful of steps."""

import pytest
import torch
from torch import nn
from torchdiffeq import odeint

from solverproof import audit, flow_matching_field

pytest.importorskip("flow_matching")
from flow_matching.path import CondOTProbPath
from flow_matching.solver import ODESolver
from flow_matching.utils import ModelWrapper

SAMPLES = 500


class Velocity(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2)
        )

    def forward(self, x, t):
        return self.layers(torch.cat([x, t.reshape(-1, 1).expand(len(x), 1)], 1))


def chequered(samples):
    """Points on the black fields of a board of four by four."""
    across, up = 4 * torch.rand(samples) - 2, torch.rand(samples)
    return torch.stack([across, up + across.floor() % 2 + 2 * torch.randint(-1, 1, (samples,))], 1)


def trained(iterations=400):
    torch.manual_seed(0)
    model, path = Velocity(), CondOTProbPath()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(iterations):
        data = chequered(256)
        at = path.sample(x_0=torch.randn_like(data), x_1=data, t=torch.rand(len(data)))
        loss = (model(at.x_t, at.t) - at.dx_t).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return ModelWrapper(model).eval()


def audited(model, **call):
    torch.manual_seed(1)
    noise = torch.randn(SAMPLES, 2)
    how = {"trained": "flow", "accept": 0.05, "progress": False}
    return audit(flow_matching_field(model), noise, **how, **call)


def test_eight_steps_of_euler_fail_and_the_remedy_is_a_better_solver_and_no_pin():
    candidates = [{"solver": "heun3", "steps": n} for n in (2, 4, 8)]
    result = audited(trained(), solver="euler", steps=8, candidates=candidates)
    assert (result.verdict, result.kind) == ("FAIL", "ode")
    assert result.advice.solver == "heun3"
    assert "Pin" not in str(result)
    assert "Do not deploy it with euler with 8 steps: take heun3" in " ".join(str(result).split())


def test_the_solver_of_flow_matching_takes_one_step_where_none_is_said():
    calls = []

    class Counting(Velocity):
        def forward(self, x, t):
            calls.append(t)
            return super().forward(x, t)

    model, noise = ModelWrapper(Counting()), torch.randn(SAMPLES, 2)
    sampled = ODESolver(model).sample(noise, step_size=None)
    assert len(calls) == 1
    result = audit(flow_matching_field(model), noise, solver="euler", steps=1, candidates=[],
                   progress=False)  # fmt: skip
    (evaluations,) = [c for c in result.measures["checks"] if c["name"] == "evaluations"]
    assert evaluations["value"] == 1
    one = flow_matching_field(model)(torch.tensor(0.0), noise)
    torch.testing.assert_close(sampled, noise + one)


def test_the_adapted_field_makes_the_samples_of_flow_matching():
    model, noise = trained(iterations=1), torch.randn(SAMPLES, 2)
    sampled = ODESolver(model).sample(noise, step_size=0.25, method="midpoint")
    times = torch.linspace(0, 1, 5)
    with torch.no_grad():
        ours = odeint(flow_matching_field(model), noise, times, method="midpoint")[-1]
    torch.testing.assert_close(ours, sampled)
