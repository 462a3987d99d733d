"""A classifier of images with an encoder, trained by torchdiffeq alone."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torchdiffeq import odeint

from solverproof import audit

TRAINED, STATE, BATCH, UNTIL = 1000, 16, 100, 4.0


class Velocity(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(STATE, 64), nn.Tanh(), nn.Linear(64, STATE))

    def forward(self, _, z):
        return self.layers(z)


class Classifier(nn.Module):
    def __init__(self, **solver):
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(72, STATE)
        )
        self.field, self.head, self.solver = Velocity(), nn.Linear(STATE, 10), solver

    def forward(self, images):
        return self.head(odeint(self.field, self.encode(images), **self.solver)[-1])


def digits():
    images, labels = load_digits(return_X_y=True)
    mixed = torch.randperm(len(labels))
    images = torch.from_numpy(images).float().reshape(-1, 1, 8, 8)[mixed] / 16
    return images, torch.from_numpy(labels)[mixed]


def trained(epochs, **solver):
    torch.manual_seed(0)
    images, labels = digits()
    model = Classifier(**solver)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(epochs):
        for batch in torch.randperm(TRAINED).split(BATCH):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.eval(), images[TRAINED:], labels[TRAINED:]


def audited(model, images, labels, **call):
    with torch.no_grad():
        z0 = model.encode(images)
    return audit(model.field, z0, head=model.head, labels=labels, interval=(0.0, UNTIL),
                 progress=False, **call)  # fmt: skip


def test_two_steps_of_euler_were_learned_as_the_layers_of_a_resnet():
    model, images, labels = trained(20, t=torch.linspace(0, UNTIL, 3), method="euler")
    result = audited(model, images, labels, solver="euler", steps=2, candidates=[])
    assert (result.verdict, result.kind) == ("FAIL", "solver-bound")
    with torch.no_grad():
        right = (model(images).argmax(1) == labels).double().mean().item()
    accuracy = result.measures["labels"]
    assert accuracy["deployed"] == right > 0.9
    assert accuracy["change_low"] > 0.1  # that much it loses as an ODE
    assert result.disagreement > 0.15


def test_eight_steps_of_rk4_are_an_ode_that_euler_may_not_solve_in_two():
    model, images, labels = trained(10, t=torch.linspace(0, UNTIL, 9), method="rk4")
    rk4 = {"solver": "rk4", "steps": 8}
    result = audited(model, images, labels, **rk4, candidates=[{"solver": "euler", "steps": 2}])
    assert (result.verdict, result.kind) == ("PASS", "ode")
    assert result.settings.set_index("solver")["safe"].to_dict() == {"euler": False, "rk4": True}
    coarse = audited(model, images, labels, solver="euler", steps=2, trained=rk4, candidates=[rk4])
    assert (coarse.verdict, coarse.kind) == ("FAIL", "ode")
    assert (coarse.advice.solver, coarse.advice.steps) == ("rk4", 8)
