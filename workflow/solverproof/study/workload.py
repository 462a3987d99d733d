"""What the jobs of a cell compute, roughly: for ordering and sizing them before they run."""

import math
from collections.abc import Iterable

from solverproof.ode.solvers import Solver
from solverproof.study.cells import Cell

UNKNOWN_SHAPE = (1, 64)  # a guess of the size of the user's own samples
UNKNOWN_NFE = 128  # a guess of the evaluations of a forward pass whose steps are chosen as it goes
UNKNOWN_TEST = 1000  # a guess of the number of the user's own test samples
# times as long as backpropagation; the adjoint as recorded: 2.7 for a block of five seeds, 4 for one
PASSES = {"adjoint": 3, "recomputation": 4 / 3}


def training_work(cell: Cell) -> int:
    """Multiply-adds of a cell's forward passes in training.

    What gradients take beyond backpropagation counts as if more were passed forward.
    """
    protocol = cell.task.protocol
    passes = PASSES.get(protocol.gradient, 1)
    samples = math.ceil(passes * protocol.iterations * protocol.batch)
    return samples * len(cell.seeds) * expected_nfe(cell) * _field_work(cell)


def evaluation_work(cell: Cell) -> int:
    """Multiply-adds of evaluating a cell with all test solvers."""
    return _test_work(cell, cell.test_solvers, {1, *cell.ratios})


def probing_work(cell: Cell) -> int:
    """Multiply-adds of measuring a controlled cell during training."""
    if not cell.controller:
        return 0
    times = cell.task.protocol.iterations // cell.controller.probe_every
    at_half = _test_work(cell, [cell.solver], [0.5])
    probes = [cell.solver, *cell.controller.probe_solvers_used()]
    return times * (at_half + _test_work(cell, probes, [1]))


def _test_work(cell: Cell, solvers: Iterable[Solver], ratios: Iterable[float]) -> int:
    """Multiply-adds of forward passes of all test samples, with each solver at each ratio."""
    samples = cell.task.data.test_count() or UNKNOWN_TEST
    steps, ratios = expected_nfe(cell) / cell.solver.stages, list(ratios)
    nfe = sum(
        UNKNOWN_NFE if cell.solver.is_adaptive else math.ceil(steps / ratio) * solver.stages
        for solver in solvers
        for ratio in ratios
    )
    return samples * len(cell.seeds) * nfe * _field_work(cell)


def expected_nfe(cell: Cell) -> int:
    """Evaluations of the field in a forward pass; a guess where the steps are chosen as it goes."""
    if cell.setting:
        steps = cell.setting.steps
    else:
        steps = cell.controller.expected_steps(cell.solver) if cell.controller else None
    return steps * cell.solver.stages if steps else UNKNOWN_NFE


def state_shape(cell: Cell) -> tuple[int, ...]:
    """Shape of a task's samples, and so of the state; a guess where they are the user's own."""
    return cell.task.data.sample_shape() or UNKNOWN_SHAPE


def _field_work(cell: Cell) -> int:
    """Multiply-adds of one evaluation of the field on one sample."""
    return cell.task.model.network.work(state_shape(cell))
