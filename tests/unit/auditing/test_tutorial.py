"""The code of docs/audit.md runs, and that of the README."""

import re
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torchdiffeq import odeint

import solverproof
from solverproof import audit, share_interval
from solverproof.__main__ import main

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs" / "audit.md").read_text(encoding="utf-8")
FRONT = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS, FRONT_BLOCKS = (
    re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE) for text in (PAGE, FRONT)
)
SAMPLES = 400


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, t, z):
        return torch.tanh(self.layer(z)) + t


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.field, self.head = nn.Flatten(), Field(), nn.Linear(2, 3)


class Velocity(nn.Module):
    def forward(self, x, t, y=None):
        return x * t if y is None else x * (t + y.unsqueeze(1))


class FieldOfTorchdyn(nn.Module):
    def forward(self, t, x, args=None):
        assert args == {}
        return -t * x


class NeuralODE(nn.Module):
    def __init__(self):
        super().__init__()
        self.vf, self.solver = FieldOfTorchdyn(), nn.Identity()


@pytest.fixture
def names(tmp_path, monkeypatch):
    """What a reader has: a folder, a model, samples."""
    monkeypatch.chdir(tmp_path)
    quick = partial(audit, candidates=[], progress=False)
    monkeypatch.setattr(solverproof, "audit", quick, raising=False)
    model, images = Model(), torch.randn(SAMPLES, 1, 1, 2)
    times = torch.tensor([0.0, 1.0])
    with torch.no_grad():
        end = odeint(model.field, images.flatten(1), times, rtol=1e-3, atol=1e-3)[-1]
    return {
        "model": model,
        "images": images,
        "labels": torch.randint(0, 3, (SAMPLES,)),
        "deployed_end_states": end,
        "velocity_model": Velocity(),
        "noise": torch.randn(SAMPLES, 2),
        "neural_ode": NeuralODE(),
        "x": torch.randn(SAMPLES, 2),
    }


def test_the_code_of_the_tutorial_runs_from_top_to_bottom(names, tmp_path):
    results = []
    for block in BLOCKS:
        exec(block, names)  # noqa: S102  as a reader would
        results.append(names["result"])
    first, _, torchdyn, conditioned = results
    assert first.measures["labels"]
    assert (tmp_path / "audit" / "report.html").is_file()
    assert (torchdyn.deployed.steps, torchdyn.verdict) == (1, "FAIL")
    assert (conditioned.trained, conditioned.kind) == ("flow", "ode")
    assert "prediction" not in conditioned.per_sample


def test_the_audit_of_the_readme_runs(names, tmp_path):
    exec(FRONT_BLOCKS[0], names)  # noqa: S102
    assert names["result"].verdict in ("PASS", "FAIL", "INCONCLUSIVE")
    assert (tmp_path / "audit" / "report.html").is_file()


@pytest.mark.parametrize("block", [BLOCKS[0], FRONT_BLOCKS[0]])
def test_it_is_ten_lines_at_most(block):
    assert len(block.splitlines()) <= 10


def test_so_many_samples_as_the_tutorial_says_pass_if_all_agree():
    (needed,) = map(int, re.findall(r"it takes (\d+) that all agree", PAGE))
    assert share_interval(0, needed)[1] <= 0.01 < share_interval(0, needed - 1)[1]


def test_options_of_the_command_that_it_names_are_there(capsys):
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    told = capsys.readouterr().out
    for option in set(re.findall(r"--[a-z][a-z-]+", PAGE)):
        assert option in told, option
