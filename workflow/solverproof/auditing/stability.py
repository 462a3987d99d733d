"""What the Jacobian of a field along its solutions says of errors and of a solver's steps.

It explains, and proves little: frozen eigenvalues are evidence, a bound of growth may be far above
the growth, and no crossing among the states met is none *found*.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from solverproof.auditing.growth import growth, stretching
from solverproof.auditing.linearisation import Linearisation, check_derivative, jacobians
from solverproof.auditing.single_steps import Mismatch, crossing, folds, mismatches
from solverproof.auditing.spectra import Spectrum, estimated, exact
from solverproof.ode.integration import VectorField
from solverproof.ode.solvers import Solver
from solverproof.ode.stability_function import amplification, stability_polynomial

FULL = 64  # features up to which Jacobians are formed


@dataclass(frozen=True)
class Quantiles:
    """Of a measure, over samples or over states: median, 95th percentile, maximum."""

    median: float
    p95: float
    max: float

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """Those of all values of a tensor."""
        median, p95 = (float(x) for x in values.flatten().quantile(values.new_tensor([0.5, 0.95])))
        return cls(median, p95, float(values.max()))


@dataclass(frozen=True)
class Stability:
    """Measures along the solutions from many inputs; time is scaled to [0, 1].

    States are those given, at all times of all samples. For more than 64 features the Jacobians
    are not formed: `growth` and `lipschitz` are then estimates from below, and some eigenvalues
    are found, mostly the outer ones, so that what counts them is from below as well.

    Attributes:
        samples: samples measured; those with a state or Jacobian that is not finite are left out.
        complete: whether all eigenvalues were found.
        growth: ∫ μ dt over samples, with μ the logarithmic norm of J. An error made at the start
            grows at most by e to this power, as far as the trapezoidal rule holds.
        stretching: over samples, ln of the factor by which the worst small error at the start
            really grows; the finite-time Lyapunov exponent. None where J is not formed.
        lipschitz: largest singular value of J over states; the greatest is a lower bound of the
            field's Lipschitz constant L.
        step_lipschitz: the same times the step h. Small values are no proof of anything: growth
            may be large all the same.
        amplified: Re λ < 0 and |R(hλ)| > 1, the solver amplifies what the flow damps.
        damped: Re λ > 0 and |R(hλ)| < 1, the solver damps what the flow amplifies.
        crossing: with fewer steps of Euler's method neighbouring solutions meet within a step, at
            one of the states; 0 if none was found.
        folds: whether the states prove that a step of Euler's method is not invertible; None for
            other solvers and where J is not formed.

    `step_lipschitz`, `amplified` and `damped` are None for solvers without one step size;
    `amplified` and `damped` for multistep methods too, which have no R.
    """

    samples: int
    complete: bool
    growth: Quantiles
    stretching: Quantiles | None
    lipschitz: Quantiles
    step_lipschitz: Quantiles | None
    amplified: Mismatch | None
    damped: Mismatch | None
    crossing: float
    folds: bool | None


def stability(
    field: VectorField, times: Tensor, states: Tensor, *, step: float | None, solver: Solver
) -> Stability:
    """Linearise a field along its solutions.

    Args:
        field: right-hand side f(t, z), in float64, of time scaled to [0, 1] and states of shape
            (samples, features); it maps every sample by itself.
        times: increasing, shape (times,).
        states: on the solutions, shape (times, samples, features).
        step: step size of the solver in scaled time; None for an adaptive solver.
        solver: the solver that is judged.

    Raises:
        ValueError: if shapes or step do not fit, or no sample is finite.
        NotDifferentiableError: if autograd does not see the field's derivative.
    """
    _check(times, states, step, solver)
    times, states = times.double(), states.double()
    generator = torch.Generator().manual_seed(0)
    middle = len(times) // 2
    check_derivative(field, times[middle], states[middle], generator)
    matrices = jacobians(field, times, states) if states.shape[2] <= FULL else None
    found = _along(field, times, states, generator) if matrices is None else exact(matrices)
    finite = (found.logarithmic_norm.isfinite() & states.isfinite().all(2)).all(0)
    if not finite.any():
        raise ValueError("no sample has states and Jacobians that are finite at all times")
    found = Spectrum(*(measure[:, finite] for measure in vars(found).values()))
    return _judge(times, found, None if matrices is None else matrices[:, finite], step, solver)


def _check(times: Tensor, states: Tensor, step: float | None, solver: Solver) -> None:
    if states.ndim != 3 or times.shape != states.shape[:1] or len(times) < 2:
        shapes = f"{tuple(times.shape)} and {tuple(states.shape)}"
        raise ValueError(
            f"times and states have shapes {shapes}; give (times,), at least two, "
            "and (times, samples, features)"
        )
    if (step is None) != solver.is_adaptive or (step is not None and not 0 < step < float("inf")):
        raise ValueError(
            f"step of {solver.name}, of kind '{solver.kind}', is {step}; give a "
            "positive number, or None for an adaptive solver"
        )


def _along(
    field: VectorField, times: Tensor, states: Tensor, generator: torch.Generator
) -> Spectrum:
    """Estimated spectra at all times, stacked."""
    pairs = zip(times, states, strict=True)
    each = [vars(estimated(Linearisation(field, t, z), z, generator)) for t, z in pairs]
    return Spectrum(**{name: torch.stack([one[name] for one in each]) for name in each[0]})


def _judge(
    times: Tensor, found: Spectrum, matrices: Tensor | None, step: float | None, solver: Solver
) -> Stability:
    polynomial = stability_polynomial(solver)
    amplified = damped = None
    if polynomial and step:
        amplified, damped = mismatches(found, amplification(polynomial, step * found.eigenvalues))
    euler = solver.kind == "fixed" and solver.stages == 1
    return Stability(
        samples=found.norm.shape[1],
        complete=matrices is not None,
        growth=Quantiles.of(growth(times, found.logarithmic_norm)),
        stretching=None if matrices is None else Quantiles.of(stretching(times, matrices)),
        lipschitz=Quantiles.of(found.norm),
        step_lipschitz=Quantiles.of(step * found.norm) if step else None,
        amplified=amplified,
        damped=damped,
        crossing=crossing(found),
        folds=folds(matrices, step) if euler and step and matrices is not None else None,
    )
