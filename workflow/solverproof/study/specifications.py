"""What defines the result of each job: its specification, and the code behind it."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from statistics import mode
from typing import Any

from solverproof.datasets.base import DataSet
from solverproof.evaluation.specifications import AuditSpec, BlockSpec, EvaluationSpec, TraceSpec
from solverproof.family import Family
from solverproof.ode.solvers import Solver
from solverproof.reporting.specifications import (
    AccuracySpec,
    AdaptationSpec,
    CollapseSpec,
    CostSpec,
    FlowSpec,
    PageSpec,
    TablesSpec,
)
from solverproof.specifications import Specification
from solverproof.study.cells import Cell, Study, Task
from solverproof.study.fingerprint import code_hash, files_hash
from solverproof.study.workload import state_shape
from solverproof.training.controllers.base import Controller
from solverproof.training.specifications import ControlledTraining, SettingTraining, Training

TRAIN = ("training.loop",)
ADAPT = (*TRAIN, "training.holding_out", "training.controllers.probing")
EVALUATE, TRACE = ("evaluation.cross_solver",), ("evaluation.tracing",)
AUDIT, EXPLORE = ("evaluation.audits",), ("evaluation.exploring",)
# By family what its controllers are called, and the key that is theirs to be set.
RULES = {
    "adaptation": ("paper's rule", "threshold"),
    "random": ("random steps", "steps"),
    "set_point": ("set-point", "accept"),
}


def code_of(spec: Specification, *modules: str) -> str:
    """Hash of the modules behind a stage, and of the families that its specification names.

    The code of a family identifies only the jobs that use it.
    """
    families = {type(family).__module__.removeprefix("solverproof.") for family in _families(spec)}
    return code_hash(*modules, *families)


def _families(value: Any) -> Iterator[Family]:
    if isinstance(value, Family):
        yield value
    if isinstance(value, Specification):
        for field in fields(value):  # type: ignore[arg-type]
            yield from _families(getattr(value, field.name))


def data_path(results: str) -> Callable[[Cell], str]:
    """A function that gives the path of a cell's data set below a folder of results."""
    return lambda cell: f"{results}/data/{cell.task.name}.safetensors"


def data_spec(task: Task) -> DataSet:
    """What defines the data set of a task; a file is identified by its content."""
    return task.data.identified()


def data_code(task: Task) -> str:
    """The code behind the data set of a task."""
    return code_of(task.data)


def training_spec(cell: Cell) -> Training:
    """What defines a trained cell."""
    task = cell.task
    common = Training(
        task=task.name,
        data=task.data.identified(),
        model=task.model,
        protocol=task.protocol,
        seeds=cell.seeds,
        device=task.device,
    )
    if cell.controller:
        controller = cell.controller
        return ControlledTraining(
            **vars(common), name=cell.label, solver=cell.solver, controller=controller
        )
    assert cell.setting is not None
    return SettingTraining(**vars(common), setting=cell.setting)


def training_code(cell: Cell) -> str:
    """The code behind a trained cell."""
    return code_of(training_spec(cell), *(ADAPT if cell.controller else TRAIN))


def evaluation_spec(cell: Cell) -> EvaluationSpec:
    """What defines the evaluation of a cell."""
    return EvaluationSpec(**vars(_block(cell)), solvers=cell.test_solvers, ratios=cell.ratios)


def evaluation_code(cell: Cell) -> str:
    """The code behind the evaluation of a cell."""
    return code_of(evaluation_spec(cell), *EVALUATE)


def audit_spec(study: Study) -> Callable[[Cell], AuditSpec]:
    """A function that gives what defines the audit of a cell.

    Other settings are tried for the cells that the page shows the trajectories of.
    """
    shown = {cell.path for cell in explored(study)}
    return lambda cell: AuditSpec(**vars(_block(cell)), candidates=cell.path in shown)


def _block(cell: Cell) -> BlockSpec:
    return BlockSpec(
        task=cell.task.name,
        model=cell.task.model,
        device=cell.task.device,
        controller=cell.label if cell.controller else None,
        adapted=bool(cell.controller and cell.controller.adapts),
        seeds=cell.seeds,
    )


def audit_code(cell: Cell) -> str:
    """The code behind the audit of a cell."""
    return code_of(_block(cell), *AUDIT)


def trace_spec(cell: Cell, seed: int) -> TraceSpec:
    """What defines the trace of one seed of a cell that has a setting."""
    if cell.setting is None:
        raise ValueError(f"{cell.path} has no setting of its own")
    return TraceSpec(model=cell.task.model, setting=cell.setting, index=cell.seeds.index(seed))


def trace_code(cell: Cell) -> str:
    """The code behind the trace of a cell that has a setting."""
    return code_of(trace_spec(cell, cell.seeds[0]), *TRACE)


def explored(study: Study) -> list[Cell]:
    """The cells whose trajectories are on the page: those of the first seed, with a state in 2-d.

    They are specified as their evaluations are.
    """
    first = min((seed for cell in study.cells for seed in cell.seeds), default=0)
    return [c for c in study.cells if first in c.seeds and math.prod(state_shape(c)) == 2]


def explore_code(cell: Cell) -> str:
    """The code behind what the page shows of a cell's trajectories."""
    return code_of(evaluation_spec(cell), *EXPLORE)


def page_spec(study: Study, jobs: Mapping[str, int], captions: Mapping[str, str]) -> PageSpec:
    """What defines the page, besides the files it is made from.

    Args:
        study: the study.
        jobs: the number of jobs, by rule; rules without any are left out.
        captions: of figures and tables, by the name of the file without its suffix.
    """
    return PageSpec(tables_spec(study), {rule: n for rule, n in jobs.items() if n}, captions)


def page_code() -> str:
    """The code behind the page: that of Python, the style and the scripts."""
    folders = ("reporting/html", "reporting/study_page")
    return code_hash("reporting.study_page.write") + files_hash(folders, "css", "html", "js")


def tables_spec(study: Study) -> TablesSpec:
    """What defines the tables, besides the evaluations."""
    chances = {name: _chance(study, name) for name in study.config["select"]["tasks"]}
    validity = study.config["validity"]
    return TablesSpec(
        float(validity["threshold"]),
        float(validity["error_threshold"]),
        {name: chance for name, chance in chances.items() if chance is not None},
        _own_solvers(study),
    )


def _chance(study: Study, name: str) -> float | None:
    """The accuracy of a guess; None of real values."""
    task = study.tasks[name]
    return None if task.data.class_count() is None else 1 / task.model.outputs


def flow_spec(study: Study) -> FlowSpec:
    """What figures 1 and 2 and the animation state about their models."""
    flow = study.config["figures"]["flow"]
    named = {key: flow[key] for key in ("task", "solver", "fine", "coarse")}
    chance = _chance(study, flow["task"])
    assert chance is not None, "configurations with real values here are refused"
    return FlowSpec(**named, chance=chance)


def accuracy_spec(study: Study, task: str) -> AccuracySpec:
    """What defines figure 4 of a task, with the training solvers that have settings."""
    with_setting = {c.solver.name for c in study.cells if c.task.name == task and c.setting}
    return AccuracySpec(
        task=task,
        solvers=tuple(name for name in study.config["select"]["solvers"] if name in with_setting),
        chance=_chance(study, task),
        own_solvers=_own_solvers(study),
    )


def collapse_spec(study: Study, task: str) -> CollapseSpec:
    """What defines figure 7 of a task, with the training solvers that have numbers of steps."""
    known = {c.solver.name: c.solver for c in study.cells}
    solvers = accuracy_spec(study, task).solvers
    return CollapseSpec(
        task=task,
        solvers=tuple(name for name in solvers if not known[name].is_adaptive),
        threshold=float(study.config["validity"]["threshold"]),
        chance=_chance(study, task),
    )


def cost_spec(study: Study, task: str) -> CostSpec:
    """What defines figure 8 of a task, with its controllers of solvers that have steps."""
    cells = [c for c in study.cells if c.task.name == task and not c.solver.is_adaptive]
    ways: dict[str, dict[str, str]] = {}
    for solver in dict.fromkeys(cell.solver.name for cell in cells):
        rules = {c.label: c.controller for c in cells if c.controller and c.solver.name == solver}
        if rules:
            ways[solver] = _ways(rules)
    return CostSpec(task=task, ways=ways, chance=_chance(study, task))


def _ways(rules: Mapping[str, Controller]) -> dict[str, str]:
    """What the rules of one training solver are called, by their own names.

    Of a family those are left out that do not train as the most do, but for its knob: they are
    variants, for table 1. A user's own rules keep their names.
    """
    kept = {name: (rule.family, _without_knob(rule)) for name, rule in rules.items()}
    most = {
        family: mode(text for other, text in kept.values() if other == family)
        for family, _ in kept.values()
    }
    return {
        name: RULES[family][0] if family in RULES else name
        for name, (family, text) in kept.items()
        if family not in RULES or text == most[family]
    }


def _without_knob(rule: Controller) -> str:
    _, knob = RULES.get(rule.family, ("", ""))
    left_out = {knob, "probe_every", "probe_solvers"}  # the others change what figure 5 shows
    return json.dumps(
        {k: v for k, v in rule.to_json().items() if k not in left_out}, sort_keys=True
    )


def adaptation_spec(study: Study, cells: Sequence[Cell]) -> AdaptationSpec:
    """What defines figure 5 of an adapted run, given the cells of its seeds."""
    first = cells[0]
    return AdaptationSpec(
        task=first.task.name,
        solver=first.solver.name,
        chance=_chance(study, first.task.name),
        published=first.controller.published() if first.controller else None,
    )


def _own_solvers(study: Study) -> tuple[Solver, ...]:
    """Solvers that the configuration defines and the study uses; tables have only their names."""
    # Without the source, a text for readers that changes no result.
    used = {s for cell in study.cells for s in (cell.solver, *cell.test_solvers) if s.tableau}
    return tuple(replace(s, source="") for s in sorted(used, key=lambda s: s.name))
