"""The cells of a study: what a configuration implies, before anything runs.

A cell is one training job: task, training solver, number of steps, block of seeds. Its identity
is its path below `models/`; its specification holds just the keys that define its result.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from solverproof.config import seed_blocks
from solverproof.datasets import shape as sample_shape
from solverproof.solvers import SOLVERS, steps_at_ratio


@dataclass(frozen=True)
class Cell:
    """One training job: a block of seeds of one setting."""

    task: str
    solver: str
    steps: int
    seeds: tuple[int, ...]

    @property
    def setting(self) -> str:
        """Path of the setting all seeds of this cell share."""
        return f"{self.task}/{self.solver}/steps-{self.steps}"

    @property
    def path(self) -> str:
        """Path of the cell below `models/` and `evaluations/`."""
        return f"{self.setting}/seeds-{self.seeds[0]}-{self.seeds[-1]}"


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """All cells that a validated configuration selects, in a fixed order."""
    select, steps = config["select"], config["steps"]
    return [
        Cell(task, solver, n, block)
        for task in select["tasks"]
        for solver in select["solvers"]
        for n in sorted(steps.get(task, {}).get(solver, []))
        for block in seed_blocks(select["seeds"])
    ]


@dataclass(frozen=True)
class Flow:
    """The two models that figures 1 and 2 look into."""

    fine: Cell
    coarse: Cell
    seed: int


def flow(config: Mapping[str, Any]) -> Flow | None:
    """The models of `figures.flow`; None when that is not set or its task not selected."""
    chosen = config["figures"].get("flow")
    if not chosen or chosen["task"] not in config["select"]["tasks"]:
        return None
    wanted = [c for c in cells(config) if (c.task, c.solver) == (chosen["task"], chosen["solver"])]
    by_steps = {c.steps: c for c in wanted if chosen["seed"] in c.seeds}
    return Flow(by_steps[chosen["fine"]], by_steps[chosen["coarse"]], chosen["seed"])


def training_work(config: Mapping[str, Any], cell: Cell) -> int:
    """Multiply-adds of a cell's forward passes in training, roughly: for ordering jobs, not for reports."""
    task = config["tasks"][cell.task]
    protocol, network = config["protocols"][task["protocol"]], config["networks"][task["network"]]
    nfe = cell.steps * SOLVERS[cell.solver].stages
    samples: int = protocol["iterations"] * protocol["batch"] * len(cell.seeds)
    return samples * nfe * _field_work(network, sample_shape(task["data"]))


def _field_work(network: Mapping[str, Any], shape: tuple[int, ...]) -> int:
    """Multiply-adds of one evaluation of the field's largest layers on one sample."""
    if network["family"] == "conv":
        spatial = shape[1:]
        return math.prod(spatial) * int(3 ** len(spatial)) * int(network["channels"]) ** 2
    ends = (math.prod(shape), *network["widths"], math.prod(shape))
    return sum(inputs * outputs for inputs, outputs in pairwise(ends))


def model_spec(config: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What defines the model of a task: network, head, horizon."""
    definition = config["tasks"][task]
    return {
        "network": config["networks"][definition["network"]],
        "classes": definition["classes"],
        "horizon": definition["horizon"],
    }


def train_spec(config: Mapping[str, Any], cell: Cell) -> dict[str, Any]:
    """What defines a trained cell."""
    definition = config["tasks"][cell.task]
    return {
        "setting": cell.setting,
        "data": definition["data"],
        "model": model_spec(config, cell.task),
        "protocol": config["protocols"][definition["protocol"]],
        "solver": cell.solver,
        "steps": cell.steps,
        "seeds": list(cell.seeds),
    }


def evaluation_spec(config: Mapping[str, Any], cell: Cell) -> dict[str, Any]:
    """What defines the evaluation of a cell: its test settings as (solver, steps) pairs."""
    test = config["test"]
    solvers = test["solvers"].get(cell.solver, [cell.solver])
    steps = sorted({steps_at_ratio(cell.steps, ratio) for ratio in [1, *test["ratios"]]})
    settings = {(solver, n) for solver in solvers for n in steps} | {(cell.solver, cell.steps)}
    return {
        "task": cell.task,
        "model": model_spec(config, cell.task),
        "solver": cell.solver,
        "steps": cell.steps,
        "seeds": list(cell.seeds),
        "tests": [list(setting) for setting in sorted(settings)],
    }


def trace_spec(config: Mapping[str, Any], cell: Cell, seed: int) -> dict[str, Any]:
    """What defines the trace of one seed of a cell."""
    return {
        "model": model_spec(config, cell.task),
        "solver": cell.solver,
        "steps": cell.steps,
        "index": cell.seeds.index(seed),
    }


def flow_spec(chosen: Flow) -> dict[str, Any]:
    """What figures 1 and 2 say of their models."""
    return {
        "task": chosen.fine.task,
        "solver": chosen.fine.solver,
        "fine": chosen.fine.steps,
        "coarse": chosen.coarse.steps,
    }


def accuracy_spec(config: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What defines figure 4 of a task."""
    selected = cells(config)
    return {
        "task": task,
        "solvers": [s for s in config["select"]["solvers"] if any((c.task, c.solver) == (task, s) for c in selected)],
        "chance": 1 / config["tasks"][task]["classes"],
    }


def canonical(spec: Mapping[str, Any]) -> str:
    """JSON that is equal exactly when the specifications are: sorted keys, no spaces."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))
