"""How small errors of a solution grow until its end."""

import torch
from torch import Tensor


def growth(times: Tensor, logarithmic_norms: Tensor) -> Tensor:
    """∫ μ dt by the trapezoidal rule, shape (samples,).

    An error made at the start grows at most by e to this power: to first order in the error, and
    as far as the times resolve μ.

    Source: Hairer, Nørsett, Wanner, Solving ODEs I (2nd ed. 1993), I.10, theorem I.10.6.

    Args:
        times: shape (times,).
        logarithmic_norms: μ along solutions, shape (times, samples).
    """
    return torch.trapezoid(logarithmic_norms, times, dim=0)


def stretching(times: Tensor, matrices: Tensor) -> Tensor:
    """Finite-time Lyapunov exponents: ln of the largest factor of small errors, shape (samples,).

    The equation of small errors dε/dt = J(t) ε is solved with J constant between two times, the
    mean of both, which is of second order.

    Source: Shadden, Lekien, Marsden, Physica D 212 (2005), section 2.

    Args:
        times: shape (times,).
        matrices: Jacobians, shape (times, samples, features, features).
    """
    means, spans = (matrices[1:] + matrices[:-1]) / 2, times.diff()
    flow, exponent = torch.eye(matrices.shape[-1]).to(matrices), times.new_zeros(())
    for span, mean in zip(spans, means, strict=True):
        flow = torch.linalg.matrix_exp(span * mean) @ flow
        size = torch.linalg.matrix_norm(flow, keepdim=True)
        # Taken out at every time, because e^1000 overflows.
        flow, exponent = flow / size, exponent + size.log().flatten()
    largest: Tensor = torch.linalg.matrix_norm(flow, ord=2)
    return exponent + largest.log()
