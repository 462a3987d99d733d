"""Which settings are tried."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from solverproof.ode.solvers import SOLVERS, Setting, Solver

T = TypeVar("T")
FIXED = ("euler", "midpoint", "heun2", "heun3", "rk4")
ADAPTIVE = ("fehlberg2", "adaptive_heun", "bosh3", "dopri5", "dopri8")
MOST_STEPS = 1024
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
DEARER = 16  # times the deployed evaluations may be spent where the deployed setting is not safe


def tried(
    run: Callable[[Setting], T], *, is_safe: Callable[[T], bool], nfe: Callable[[T], int], most: int
) -> Iterator[tuple[Setting, T]]:
    """Settings of every solver from coarse to fine, until one is safe or dearer than `most`.

    Args:
        run: solves with a setting.
        is_safe: whether a result is safe; a finer setting is then not tried.
        nfe: evaluations of a result.
        most: evaluations; fixed steps that need more are not run, and of adaptive settings the one
            that turns out to need more is the last.
    """
    for name in FIXED:
        solver = SOLVERS[name]
        yield from _until_safe(run, _refined(solver, most), is_safe, nfe, most)
    for name in ADAPTIVE:
        settings = (Setting(SOLVERS[name], tolerance=value) for value in TOLERANCES)
        yield from _until_safe(run, settings, is_safe, nfe, most)


def _refined(solver: Solver, most: int) -> Iterator[Setting]:
    steps = 1
    while steps <= MOST_STEPS and steps * solver.stages <= most:
        yield Setting(solver, steps=steps)
        steps *= 2


def _until_safe(
    run: Callable[[Setting], T],
    settings: Iterable[Setting],
    is_safe: Callable[[T], bool],
    nfe: Callable[[T], int],
    most: int,
) -> Iterator[tuple[Setting, T]]:
    for setting in settings:
        result = run(setting)
        yield setting, result
        if is_safe(result) or nfe(result) > most:
            return
