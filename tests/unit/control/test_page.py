"""The code of docs/controller.md runs, and its numbers are those of the law."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import torch
from torch import nn
from torchdiffeq import odeint

from solverproof import StepController
from solverproof.auditing.measures import OUTPUTS_SHARE
from solverproof.control.law import Law
from solverproof.study.config import schema

PAGE = (Path(__file__).parents[3] / "docs" / "controller.md").read_text(encoding="utf-8")
LOOP, MODULE, PENALTY = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)

    def forward(self, t, z):
        return torch.tanh(self.layer(z)) + t


def test_the_loop_runs_and_says_what_to_deploy_with(capsys):
    torch.manual_seed(0)
    field, head = Field(), nn.Linear(2, 2)
    optimizer = torch.optim.Adam([*field.parameters(), *head.parameters()], 0.01)
    batches = [(z0, (z0[:, 0] > 0).long()) for z0 in torch.randn(20, 32, 2)]
    names = {"field": field, "head": head, "optimizer": optimizer, "batches": batches}
    exec(LOOP, names)  # noqa: S102  as a reader would
    assert re.fullmatch(r"deploy with rk4 with \d+ steps?\n", capsys.readouterr().out)
    exec(PENALTY, names | {"loss": torch.zeros(())}, kept := {})  # noqa: S102
    assert kept["loss"] > 0


def test_a_lightning_module_trains_its_encoder_once_an_iteration_and_keeps_the_state():
    names = {"LightningModule": nn.Module, "torch": torch, "odeint": odeint}
    exec(MODULE, names)  # noqa: S102  as a reader would
    model = names["Model"]()
    model.encode, model.field, model.head = nn.BatchNorm1d(2), Field(), nn.Linear(2, 2)
    model.times = torch.tensor([0.0, 1.0])
    model.controller = StepController(model.field, model.head)
    batch = torch.randn(8, 2), torch.zeros(8, dtype=torch.long)
    model.training_step(batch, 0).backward()
    assert model.encode.num_batches_tracked == 1
    assert model.encode.weight.grad.abs().sum() > 0
    model.on_save_checkpoint(checkpoint := {})
    resumed = names["Model"]()
    resumed.controller = StepController(model.field, model.head)
    resumed.on_load_checkpoint(checkpoint)
    assert resumed.controller.nfe == model.controller.nfe > 0


def test_the_numbers_of_the_page_are_those_of_the_code():
    keys = schema()["$defs"]["controllers"]["set_point"]["properties"]
    assert (keys["spread"]["default"], keys["longest"]["default"]) == (4, 400)
    assert keys["shortest"]["default"] == 50
    assert keys["accept"]["default"] / OUTPUTS_SHARE == pytest.approx(0.2)
    assert (Law.aim, Law.band, Law.memory) == (0.5, 0.25, 10)
    assert (Law.integral, Law.proportional, Law.most, Law.shrink) == (0.7, 0.4, 2, 0.9)


def test_the_usual_constants_that_the_schema_names_are_those_of_the_law():
    named = schema()["$defs"]["controllers"]["set_point"]["properties"]["law"]["properties"]
    usual = {field.name: field.default for field in fields(Law)}
    for name, block in named.items():
        assert name in usual
        if name != "order":
            assert block["description"].endswith(f"Otherwise {usual[name]:g}.")
