"""The cells of a study: what a configuration implies, before anything runs.

A cell is one training job: task, training solver, number of steps, block of seeds. Its identity
is its path below `models/`; its specification holds just the keys that define its result.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from solverproof.datasets.families import shape as sample_shape
from solverproof.files import sha256_of
from solverproof.ode.solvers import SOLVERS, Setting, Solver
from solverproof.study.config import has_flow, seed_blocks
from solverproof.study.fingerprint import module_hash

UNKNOWN_SHAPE = (1, 64)  # a guess of the size of the user's own samples
UNKNOWN_WIDTHS = (64, 64)  # a guess of the size of a user's own network
UNKNOWN_NFE = 128  # a guess of the evaluations of a forward pass whose steps are chosen as it goes
UNKNOWN_TEST = 1000  # a guess of the number of the user's own test samples
# times as long as backpropagation; the adjoint as recorded: 2.7 for a block of five seeds, 4 for one
PASSES = {"adjoint": 3, "recomputation": 4 / 3}


@dataclass(frozen=True)
class Cell:
    """One training job: a block of seeds of one setting, or of one controller that chooses the setting.

    Attributes:
        task: name of the task.
        solver: the training solver.
        label: the setting or controller in paths: `steps-64`, `tolerance-0.001`, `paper`.
        seeds: the block.
        setting: the training setting; None where a controller chooses it.
    """

    task: str
    solver: Solver
    label: str
    seeds: tuple[int, ...]
    setting: Setting | None

    @property
    def identity(self) -> str:
        """What all seeds of this cell share, as a path."""
        return f"{self.task}/{self.solver.name}/{self.label}"

    @property
    def path(self) -> str:
        """Path of the cell below `models/` and `evaluations/`."""
        return f"{self.identity}/seeds-{self.seeds[0]}-{self.seeds[-1]}"


def cells(config: Mapping[str, Any]) -> list[Cell]:
    """All cells that a validated configuration selects, in a fixed order.

    Controllers choose other steps for every seed, so each seed they train is a cell of its own.
    """
    blocks = seed_blocks(config["select"]["seeds"])
    found = []
    for task in config["select"]["tasks"]:
        for solver in (SOLVERS[name] for name in config["select"]["solvers"]):
            steps = [Setting(solver, n) for n in sorted(_of(config, "steps", task, solver))]
            tolerances = sorted(map(float, _of(config, "tolerances", task, solver)), reverse=True)
            settings = steps + [Setting(solver, tolerance) for tolerance in tolerances]
            found += [Cell(task, solver, s.label, block, s) for s in settings for block in blocks]
            controllers = _of(config, "controlled", task, solver)
            found += [Cell(task, solver, c, (seed,), None) for c in controllers for block in blocks for seed in block]
    return found


def _of(config: Mapping[str, Any], selection: str, task: str, solver: Solver) -> list[Any]:
    found: list[Any] = config[selection].get(task, {}).get(solver.name, [])
    return found


@dataclass(frozen=True)
class Flow:
    """The two models that figures 1 and 2 look into."""

    fine: Cell
    coarse: Cell
    seed: int


def flow(config: Mapping[str, Any]) -> Flow | None:
    """The models of `figures.flow`; None when figures 1 and 2 are not drawn."""
    if not has_flow(config):
        return None
    chosen = config["figures"]["flow"]
    solver = SOLVERS[chosen["solver"]]
    found = {c.identity: c for c in cells(config) if chosen["seed"] in c.seeds}
    fine, coarse = (f"{chosen['task']}/{solver.name}/{Setting(solver, chosen[n]).label}" for n in ("fine", "coarse"))
    return Flow(found[fine], found[coarse], chosen["seed"])


def adapted(config: Mapping[str, Any]) -> dict[str, list[Cell]]:
    """The cells of each adapted run of all seeds, under the name of its figure 5."""
    found: dict[str, list[Cell]] = {}
    for cell in cells(config):
        if cell.setting is None and config["controllers"][cell.label]["family"] == "adaptation":
            found.setdefault(cell.identity.replace("/", "_"), []).append(cell)
    return found


def training_work(config: Mapping[str, Any], cell: Cell) -> int:
    """Multiply-adds of a cell's forward passes in training, roughly: for ordering and sizing jobs.

    What gradients take beyond backpropagation counts as if more were passed forward.
    """
    protocol = config["protocols"][config["tasks"][cell.task]["protocol"]]
    samples: int = math.ceil(PASSES.get(protocol["gradient"], 1) * protocol["iterations"] * protocol["batch"])
    return samples * len(cell.seeds) * expected_nfe(config, cell) * _field_work(config, cell.task)


def evaluation_work(config: Mapping[str, Any], cell: Cell) -> int:
    """Multiply-adds of evaluating a cell with all test solvers, roughly: for sizing jobs."""
    return _test_work(config, cell, _test_solvers(config, cell), {1, *_ratios(config, cell)})


def probing_work(config: Mapping[str, Any], cell: Cell) -> int:
    """Multiply-adds of measuring a controlled cell during training, roughly: for sizing jobs."""
    if cell.setting:
        return 0
    protocol = config["protocols"][config["tasks"][cell.task]["protocol"]]
    times: int = protocol["iterations"] // config["controllers"][cell.label]["probe_every"]
    probes = _probe_solvers(config["controllers"][cell.label])
    at_half = _test_work(config, cell, [cell.solver.name], [0.5])
    return times * (at_half + _test_work(config, cell, [cell.solver.name, *probes], [1]))


def _test_work(config: Mapping[str, Any], cell: Cell, solvers: Iterable[str], ratios: Iterable[float]) -> int:
    """Multiply-adds of forward passes of all test samples, with each solver at each ratio."""
    data = config["tasks"][cell.task]["data"]
    samples: int = UNKNOWN_TEST if data["family"] == "file" else data["test"]
    steps = expected_nfe(config, cell) / cell.solver.stages
    nfe = sum(
        UNKNOWN_NFE if cell.solver.is_adaptive else math.ceil(steps / ratio) * SOLVERS[name].stages
        for name in solvers
        for ratio in ratios
    )
    return samples * len(cell.seeds) * nfe * _field_work(config, cell.task)


def expected_nfe(config: Mapping[str, Any], cell: Cell) -> int:
    """Evaluations of the field in a forward pass; a guess where the steps are chosen as it goes."""
    options = {} if cell.setting else config["controllers"][cell.label]
    steps = cell.setting.steps if cell.setting else None
    if "steps" in options:
        steps = max(options["steps"])
    elif options.get("initial") and not cell.solver.is_adaptive:
        steps = math.ceil(1 / options["initial"])
    return steps * cell.solver.stages if steps else UNKNOWN_NFE


def state_shape(config: Mapping[str, Any], task: str) -> tuple[int, ...]:
    """Shape of a task's samples, and so of the state; a guess where they are the user's own."""
    return sample_shape(config["tasks"][task]["data"]) or UNKNOWN_SHAPE


def _field_work(config: Mapping[str, Any], task: str) -> int:
    """Multiply-adds of one evaluation of the field's largest layers on one sample."""
    definition = config["tasks"][task]
    network, shape = config["networks"][definition["network"]], state_shape(config, task)
    if network["family"] == "conv":
        spatial = shape[1:]
        return math.prod(spatial) * int(3 ** len(spatial)) * int(network["channels"]) ** 2
    ends = (math.prod(shape), *network.get("widths", UNKNOWN_WIDTHS), math.prod(shape))
    return sum(inputs * outputs for inputs, outputs in pairwise(ends))


def data_path(config: Mapping[str, Any], cell: Cell) -> str:
    """Path of a cell's data set."""
    return f"{config['results']}/data/{cell.task}.safetensors"


def data_spec(config: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What defines the data set of a task; a file counts by its content."""
    data: dict[str, Any] = config["tasks"][task]["data"]
    return {**data, "sha256": _checksum(Path(data["path"]))} if data["family"] == "file" else data


@cache
def _checksum(path: Path) -> str:
    return sha256_of(path)


def model_spec(config: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What defines the model of a task: network (with the code of a user's own), head, horizon."""
    definition = config["tasks"][task]
    network = config["networks"][definition["network"]]
    if network["family"] == "module":
        network = {**network, "code": module_hash(network["path"].partition(":")[0])}
    return {
        "network": network,
        "classes": definition["classes"],
        "horizon": definition["horizon"],
    }


def train_spec(config: Mapping[str, Any], cell: Cell) -> dict[str, Any]:
    """What defines a trained cell."""
    definition = config["tasks"][cell.task]
    spec = {
        "identity": cell.identity,
        "data": data_spec(config, cell.task),
        "model": model_spec(config, cell.task),
        "protocol": config["protocols"][definition["protocol"]],
        "seeds": list(cell.seeds),
        "device": definition["device"],
    }
    if cell.setting:
        return {**spec, **cell.setting.spec, **_tableaux(config, cell.solver.name)}
    options = config["controllers"][cell.label]
    probes = _probe_solvers(options)
    tableaux = _tableaux(config, cell.solver.name, *_check_solvers(options), *probes)
    return {**spec, "solver": cell.solver.name, "controller": options, "probe_solvers": probes, **tableaux}


def _check_solvers(options: Mapping[str, Any]) -> list[str]:
    return [options["test_solver"]] if "test_solver" in options else []


def _probe_solvers(options: Mapping[str, Any]) -> list[str]:
    probes: list[str] = options.get("probe_solvers", _check_solvers(options))
    return probes


def evaluation_spec(config: Mapping[str, Any], cell: Cell) -> dict[str, Any]:
    """What defines the evaluation of a cell: the solvers, and the ratios to its step size or tolerance."""
    controller = None if cell.setting else cell.label
    return {
        "task": cell.task,
        "model": model_spec(config, cell.task),
        "device": config["tasks"][cell.task]["device"],
        "controller": controller,
        "adapted": controller is not None and config["controllers"][controller]["family"] == "adaptation",
        "seeds": list(cell.seeds),
        "solvers": _test_solvers(config, cell),
        **_tableaux(config, cell.solver.name, *_test_solvers(config, cell)),
        "ratios": sorted(_ratios(config, cell)),
    }


def _ratios(config: Mapping[str, Any], cell: Cell) -> list[float]:
    ratios: list[float] = config["test"]["tolerance_ratios" if cell.solver.is_adaptive else "ratios"]
    return ratios


def _test_solvers(config: Mapping[str, Any], cell: Cell) -> list[str]:
    return sorted(config["test"]["solvers"].get(cell.solver.name, [cell.solver.name]))


def tables_spec(config: Mapping[str, Any]) -> dict[str, Any]:
    """What defines the tables, beside the evaluations."""
    return {"threshold": config["validity"]["threshold"], **_selected_tableaux(config)}


def _tableaux(config: Mapping[str, Any], *solvers: str) -> dict[str, Any]:
    """The tableaux of those solvers that the configuration defines, under a key that is absent if there are none."""
    own = {name: config["solvers"][name] for name in solvers if name in config["solvers"]}
    tableaux = {name: {key: value for key, value in own[name].items() if key != "source"} for name in own}
    return {"tableaux": tableaux} if tableaux else {}


def _selected_tableaux(config: Mapping[str, Any]) -> dict[str, Any]:
    tested = [name for cell in cells(config) for name in _test_solvers(config, cell)]
    return _tableaux(config, *config["select"]["solvers"], *tested)


def trace_spec(config: Mapping[str, Any], cell: Cell, seed: int) -> dict[str, Any]:
    """What defines the trace of one seed of a cell with a setting of its own."""
    if cell.setting is None:
        raise ValueError(f"{cell.path} has no setting of its own")
    spec = {"model": model_spec(config, cell.task), **cell.setting.spec, "index": cell.seeds.index(seed)}
    return {**spec, **_tableaux(config, cell.solver.name)}


def flow_spec(config: Mapping[str, Any]) -> dict[str, Any]:
    """What figures 1 and 2 say of their models."""
    return {key: config["figures"]["flow"][key] for key in ("task", "solver", "fine", "coarse")}


def accuracy_spec(config: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What defines figure 4 of a task: the training solvers that have cells with a setting of their own."""
    with_setting = {cell.solver.name for cell in cells(config) if cell.task == task and cell.setting}
    return {
        "task": task,
        "solvers": [name for name in config["select"]["solvers"] if name in with_setting],
        "chance": 1 / config["tasks"][task]["classes"],
        **_selected_tableaux(config),
    }


def canonical(spec: Mapping[str, Any]) -> str:
    """JSON that is equal exactly when the specifications are: sorted keys, no spaces."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))
