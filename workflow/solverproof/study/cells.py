"""The cells of a study: what a configuration implies, before anything runs.

A cell is one training job and its evaluation: task, training solver, setting or controller, and
block of seeds. Its identity is its path below `models/`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

from solverproof.datasets.base import DataSet
from solverproof.family import Family
from solverproof.models.networks.base import Network
from solverproof.models.specifications import Model, UserClass
from solverproof.ode.solvers import Setting, Solver, known_solvers
from solverproof.study.config import has_flow, seed_blocks
from solverproof.study.fingerprint import module_hash
from solverproof.training.controllers.base import Controller
from solverproof.training.specifications import Protocol
from solverproof.user_code import module_of

F = TypeVar("F", bound=Family)


@dataclass(frozen=True)
class Task:
    """A data set, a model and how it is trained.

    Attributes:
        name: its name.
        data: its data set.
        model: what is trained.
        protocol: how it is trained.
        device: where it is computed, as in the configuration.
    """

    name: str
    data: DataSet
    model: Model
    protocol: Protocol
    device: str


@dataclass(frozen=True)
class Cell:
    """One training job, a block of seeds of one setting or controller, and its evaluation.

    Attributes:
        task: the task.
        solver: the training solver.
        label: the setting or controller in paths: `steps-64`, `tolerance-0.001`, `paper`.
        seeds: the block.
        setting: the training setting; None where a controller chooses it.
        controller: the controller that chooses it; None where there is none.
        test_solvers: the solvers to test with, by name.
        ratios: step sizes or tolerances to test with, as multiples of the training one, ascending.
    """

    task: Task
    solver: Solver
    label: str
    seeds: tuple[int, ...]
    setting: Setting | None
    controller: Controller | None
    test_solvers: tuple[Solver, ...]
    ratios: tuple[float, ...]

    @property
    def identity(self) -> str:
        """The part of the path that all seeds share."""
        return f"{self.task.name}/{self.solver.name}/{self.label}"

    @property
    def path(self) -> str:
        """Path of the cell below `models/` and `evaluations/`."""
        return f"{self.identity}/seeds-{self.seeds[0]}-{self.seeds[-1]}"


@dataclass(frozen=True)
class Flow:
    """The two models that figures 1 and 2 look into."""

    fine: Cell
    coarse: Cell
    seed: int


@dataclass(frozen=True)
class Study:
    """A validated configuration and what it implies."""

    config: Mapping[str, Any]

    # Cached, because the rules ask for these many times while the graph of jobs is built.
    @cached_property
    def solvers(self) -> Mapping[str, Solver]:
        """Solvers by name: those of torchdiffeq, and the configuration's own."""
        return known_solvers(self.config["solvers"])

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        """All tasks by name."""
        return {name: self._task(name) for name in self.config["tasks"]}

    @cached_property
    def controllers(self) -> Mapping[str, Controller]:
        """All controllers by name."""
        definitions = self.config["controllers"].items()
        return {name: _hashed(Controller.of(d, self.solvers)) for name, d in definitions}

    @cached_property
    def cells(self) -> Sequence[Cell]:
        """All cells that the configuration selects, in a fixed order."""
        select = self.config["select"]
        solvers = [self.solvers[name] for name in select["solvers"]]
        return [cell for task in select["tasks"] for s in solvers for cell in self._cells(task, s)]

    @cached_property
    def flow(self) -> Flow | None:
        """The models of `figures.flow`; None if figures 1 and 2 are not drawn."""
        if not has_flow(self.config):
            return None
        chosen = self.config["figures"]["flow"]
        place = f"{chosen['task']}/{chosen['solver']}"
        # Of the blocks of a setting, the one with the chosen seed.
        found = {cell.identity: cell for cell in self.cells if chosen["seed"] in cell.seeds}
        fine, coarse = (found[f"{place}/steps-{chosen[role]}"] for role in ("fine", "coarse"))
        return Flow(fine, coarse, chosen["seed"])

    @cached_property
    def adapted(self) -> Mapping[str, Sequence[Cell]]:
        """The cells of all seeds of each adapted run, by the name of its figure 5."""
        found: dict[str, list[Cell]] = {}
        for cell in self.cells:
            if cell.controller and cell.controller.adapts:
                found.setdefault(cell.identity.replace("/", "_"), []).append(cell)
        return found

    def _task(self, name: str) -> Task:
        definition = self.config["tasks"][name]
        data = _hashed(DataSet.from_json(definition["data"]))
        # A head may have more outputs than there are classes, not fewer (checked in `config`).
        outputs = definition.get("classes") or data.class_count() or data.value_count() or 0
        ends = {end: _user_class(definition.get(end)) for end in ("encoder", "head")}
        return Task(
            name,
            data,
            Model(
                _hashed(Network.from_json(self.config["networks"][definition["network"]])),
                outputs,
                float(definition["horizon"]),
                definition["augment"],
                **ends,
            ),
            self._protocol(definition["protocol"]),
            definition["device"],
        )

    def _protocol(self, name: str) -> Protocol:
        protocol = Protocol.from_json(self.config["protocols"][name])
        if protocol.loss and ":" in protocol.loss:
            return replace(protocol, loss_code=_code_hash(protocol.loss))
        return protocol

    def _cells(self, task: str, solver: Solver) -> Iterator[Cell]:
        """Cells of one task and training solver: settings from coarse to fine, then controllers."""
        blocks = seed_blocks(self.config["select"]["seeds"])
        # Floats, so that a tolerance written as 1 and as 1.0 gives one path.
        tolerances = sorted(self._selected("tolerances", task, solver), reverse=True)
        values = [*sorted(self._selected("steps", task, solver)), *map(float, tolerances)]
        for value in values:
            for block in blocks:
                yield self.cell(task, solver, block, setting=Setting.of(solver, value))
        for name in self._selected("controlled", task, solver):
            # A controller chooses other steps for every seed, so each seed is its own cell.
            for seed in (seed for block in blocks for seed in block):
                yield self.cell(task, solver, (seed,), controller=name)

    def _selected(self, selection: str, task: str, solver: Solver) -> list[Any]:
        found: list[Any] = self.config[selection].get(task, {}).get(solver.name, [])
        return found

    def cell(
        self,
        task: str,
        solver: Solver,
        seeds: tuple[int, ...],
        *,
        setting: Setting | None = None,
        controller: str = "",
    ) -> Cell:
        """The cell of one setting, or of one controller, given by its name."""
        test = self.config["test"]
        # Sorted, here and below, so that reordering a list in the configuration re-runs nothing.
        ratios = test["tolerance_ratios" if solver.is_adaptive else "ratios"]
        tests = sorted(test["solvers"].get(solver.name, [solver.name]))
        return Cell(
            task=self.tasks[task],
            solver=solver,
            label=setting.label if setting else controller,
            seeds=seeds,
            setting=setting,
            controller=None if setting else self.controllers[controller],
            test_solvers=tuple(self.solvers[name] for name in tests),
            ratios=tuple(sorted(map(float, ratios))),
        )


def _hashed(family: F) -> F:
    """A family with the hash of the user's own code, which that of this package does not cover."""
    if not family.user_code:
        return family
    return replace(family, code=_code_hash(family.user_code))  # type: ignore[type-var]


def _user_class(definition: Mapping[str, Any] | None) -> UserClass | None:
    if not definition:
        return None
    found = UserClass.from_json(definition)
    return replace(found, code=_code_hash(found.path))


def _code_hash(path: str) -> str:
    """The hash of the user's own code behind an import path."""
    return module_hash(module_of(path))
