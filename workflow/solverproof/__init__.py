"""Is your Neural ODE solver-proof?

The public names are imported when they are first asked for, so that Snakemake, which imports this
package to plan, does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solverproof.api import Audit, audit, method
    from solverproof.auditing.adapters import flow_matching_field, torchdyn_field
    from solverproof.auditing.intervals import mean_interval, share_interval
    from solverproof.auditing.measures import relative_error
    from solverproof.control.paper_controller import PaperController
    from solverproof.control.step_controller import StepController
    from solverproof.errors import InputError
    from solverproof.ode.integration import Solution, SolverError, solve, trajectory
    from solverproof.ode.sample_control import solve_samples
    from solverproof.ode.solvers import SOLVERS, Setting, Solver

__version__ = "0.1.0"
__all__ = [
    "SOLVERS",
    "Audit",
    "InputError",
    "PaperController",
    "Setting",
    "Solution",
    "Solver",
    "SolverError",
    "StepController",
    "audit",
    "flow_matching_field",
    "mean_interval",
    "method",
    "relative_error",
    "share_interval",
    "solve",
    "solve_samples",
    "torchdyn_field",
    "trajectory",
]
_MODULES = {
    "api": ("Audit", "audit", "method"),
    "auditing.adapters": ("flow_matching_field", "torchdyn_field"),
    "auditing.intervals": ("mean_interval", "share_interval"),
    "auditing.measures": ("relative_error",),
    "control.paper_controller": ("PaperController",),
    "control.step_controller": ("StepController",),
    "errors": ("InputError",),
    "ode.integration": ("Solution", "SolverError", "solve", "trajectory"),
    "ode.sample_control": ("solve_samples",),
    "ode.solvers": ("SOLVERS", "Setting", "Solver"),
}

if not TYPE_CHECKING:  # a type checker would take every misspelt name for one of these

    def __getattr__(name: str) -> object:
        for module, names in _MODULES.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
