"""Rough amounts of work of a cell's jobs, to order and size them before they run."""

import math
from collections.abc import Iterable

from solverproof.models.augmentation import augmented
from solverproof.ode.solvers import Solver
from solverproof.study.cells import Cell

UNKNOWN_SHAPE = (1, 64)  # a guess of the shape of the user's own samples
UNKNOWN_NFE = 128  # a guess for a forward pass whose steps are chosen while it runs
# of both solvers of a reference, as recorded (480 to 1,940), in float64, which takes twice as long
REFERENCE_NFE = 2 * 2000
REFERENCED = 1000  # samples at most
UNKNOWN_TEST = 1000  # a guess of the number of the user's own test samples
# Time relative to backpropagation. The adjoint's was recorded: 2.7 for a block of five seeds, 4 for
# one. Recomputation adds a forward pass to one forward and two backward ones.
PASSES = {"adjoint": 3, "recomputation": 4 / 3}


def training_work(cell: Cell) -> int:
    """Multiply-adds of a cell's forward passes in training.

    Work of gradients beyond backpropagation counts as additional forward passes.
    """
    protocol = cell.task.protocol
    passes = PASSES.get(protocol.gradient, 1)
    samples = math.ceil(passes * protocol.iterations * protocol.batch)
    return samples * len(cell.seeds) * expected_nfe(cell) * _field_work(cell)


def evaluation_work(cell: Cell) -> int:
    """Multiply-adds of evaluating a cell with all test solvers, and of its reference."""
    ways = 2 if cell.solver.is_adaptive else 1  # in batch and alone
    return ways * _test_work(cell, cell.test_solvers, {1, *cell.ratios}) + _reference_work(cell)


def probing_work(cell: Cell) -> int:
    """Multiply-adds of a controlled cell's measurements on the test set during training."""
    if not cell.controller:
        return 0
    times = cell.task.protocol.iterations // cell.controller.probe_every
    at_half = _test_work(cell, [cell.solver], [0.5])
    probes = [cell.solver, *cell.controller.probe_solvers_used()]
    return times * (at_half + _test_work(cell, probes, [1]))


def _reference_work(cell: Cell) -> int:
    """Multiply-adds of solving the flow until two solvers agree on it."""
    samples = min(cell.task.data.test_count() or UNKNOWN_TEST, REFERENCED)
    return samples * len(cell.seeds) * REFERENCE_NFE * _field_work(cell)


def _test_work(cell: Cell, solvers: Iterable[Solver], ratios: Iterable[float]) -> int:
    """Multiply-adds of forward passes of all test samples, with each solver at each ratio."""
    # In steps, not evaluations: test solvers take the same steps with other numbers of stages.
    samples = cell.task.data.test_count() or UNKNOWN_TEST
    steps, ratios = expected_nfe(cell) / cell.solver.stages, list(ratios)
    nfe = sum(
        UNKNOWN_NFE if cell.solver.is_adaptive else math.ceil(steps / ratio) * solver.stages
        for solver in solvers
        for ratio in ratios
    )
    return samples * len(cell.seeds) * nfe * _field_work(cell)


def expected_nfe(cell: Cell) -> int:
    """Function evaluations of a forward pass; a guess where the steps are chosen while it runs."""
    if cell.setting:
        steps = cell.setting.steps
    else:
        steps = cell.controller.expected_steps(cell.solver) if cell.controller else None
    return steps * cell.solver.stages if steps else UNKNOWN_NFE


def state_shape(cell: Cell) -> tuple[int, ...]:
    """Shape of a task's states; a guess for the user's own samples and encoders."""
    sample, model = cell.task.data.sample_shape(), cell.task.model
    if sample is None or model.encoder:
        return UNKNOWN_SHAPE
    return augmented(sample, model.augment)


def _field_work(cell: Cell) -> int:
    """Multiply-adds of one evaluation of the field on one sample."""
    return cell.task.model.network.work(state_shape(cell))
