"""The public functions: the audit and its page, joined."""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from solverproof import __version__
from solverproof.auditing.audit import run_audit
from solverproof.auditing.call import Call, checked_call, solver_named
from solverproof.auditing.measures import Compare
from solverproof.auditing.problem import device_of, module_of
from solverproof.auditing.result import AuditResult, Flow
from solverproof.ode.solvers import Setting, Solver
from solverproof.ode.torchdiffeq_methods import name_in_torchdiffeq
from solverproof.reporting.html.folder import save
from solverproof.reporting.html.terminal import text
from solverproof.study.provenance import provenance


class Audit(AuditResult):
    """The result of an audit, see `AuditResult`, with its report."""

    def save(self, folder: str | Path) -> None:
        """Write the report: report.html, report.md, card.md, audit.json, samples.csv, figures.

        Raises:
            InputError: if the folder cannot be written.
        """
        save(self, Path(folder))

    def __str__(self) -> str:
        """One screen of text, the verdict first."""
        return text(self)


def audit(
    field: Any,
    z0: Tensor | tuple[Tensor, ...],
    *,
    solver: str | Solver,
    steps: int | None = None,
    tolerance: float | None = None,
    atol: float | None = None,
    interval: tuple[float, float] = (0.0, 1.0),
    head: Any = None,
    labels: Any = None,
    accept: float = 0.01,
    candidates: Sequence[Setting | dict[str, Any]] | None = None,
    trained: dict[str, Any] | Flow | None = None,
    compare: Compare | None = None,
    confidence: float = 0.95,
    batch_size: int | None = None,
    progress: bool = True,
) -> Audit:
    """Is this trained model an ODE, and with which solver may it be deployed?

    Everything is solved as torchdiffeq's `odeint` would, and held against a reference: the flow in
    float64 as two unlike solvers agree on it. Nothing of the model is changed. See docs/audit.md
    for how to read the result, docs/methods.md for what is measured.

    Args:
        field: the right-hand side f(t, z), or f(z): a function or module. It maps every sample by
            itself.
        z0: initial states, a tensor (samples, ...) or a tuple of such tensors.
        solver: the deployed solver, by its name in torchdiffeq or in `ode/shipped.yaml`.
        steps: its number of equal steps; of a fixed-step solver.
        tolerance: its tolerance, relative and, unless `atol` is given, absolute; of an adaptive
            solver.
        atol: its absolute tolerance, where that is another; 0 for relative control alone.
        interval: first and last time; backwards if the last is the smaller one.
        head: from end states to logits (samples, classes), or to values; None: the end states are
            the values. A matrix of more than one column is taken for logits unless `compare` is
            given.
        labels: the class of each sample, shape (samples,).
        accept: the share of predictions that may differ from the flow's; without classes the
            relative error that 95 % of the outputs may have.
        candidates: settings to try, such as {"solver": "rk4", "steps": 8}; None: fixed-step solvers
            with 1, 2, 4, ... steps and adaptive ones at tolerances from 0.1 on, each until it is
            safe or dearer than the deployed setting (16 times as dear, where that is not safe).
        trained: the setting that the model was trained with, such as {"solver": "dopri5",
            "tolerance": 1e-7, "atol": 1e-9}; "flow" if the field was trained without a solver, as
            by flow matching; None: taken to be the deployed one.
        compare: the error of values against those of the flow, one number per sample, in place of
            `relative_error`, which may be given, too; two tensors of outputs to a tensor
            (samples,).
        confidence: of all intervals.
        batch_size: samples that are solved together; None: all.
        progress: whether to tell on standard error what is being done.

    Raises:
        InputError: if something given cannot be used; nothing has been solved then, but for a
            field that is not the same twice.
    """
    call = checked_call(
        field,
        z0,
        solver=solver,
        steps=steps,
        tolerance=tolerance,
        atol=atol,
        interval=interval,
        head=head,
        labels=labels,
        accept=accept,
        candidates=candidates,
        trained=trained,
        compare=compare,
        confidence=confidence,
        batch_size=batch_size,
    )
    place = device_of(call.problem.start)
    started = datetime.now(UTC)
    # The random state stays as it was, whatever the model draws.
    with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
        result = run_audit(call, _tell if progress else _nothing)
    made = _provenance(call, field, head, started)
    return Audit(**vars(replace(result, provenance=made)))


def method(solver: str | Solver) -> str:
    """Make a solver that torchdiffeq lacks known to it, for `odeint(..., method=method("tsit5"))`.

    Args:
        solver: a name that `audit` knows, or a solver with a Butcher tableau.

    Returns:
        Its name.

    Raises:
        InputError: if there is no solver of that name.
    """
    return name_in_torchdiffeq(solver_named("solver", solver))


def _tell(line: str) -> None:
    print(f"audit: {line}", file=sys.stderr, flush=True)


def _nothing(_: str) -> None:
    return


def _provenance(call: Call, field: Any, head: Any, started: datetime) -> dict[str, Any]:
    """That of a job of the study, and what was audited, where and when."""
    made, finished = provenance(), datetime.now(UTC)
    return {
        **made,
        "versions": {"solverproof": __version__, **made["versions"]},
        "device": str(device_of(call.problem.start)),
        "sha256": {
            "field": _hash(field),
            "head": _hash(head),
            "z0": _hash_of_tensors([call.problem.flat_start()]),
        },
        "started": started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "seconds": round((finished - started).total_seconds(), 3),
    }


def _hash(code: Any) -> str | None:
    """Of the weights of a module, or of that whose method it is; None of another function."""
    module = module_of(code)
    if module is None:
        return None
    kept = module.state_dict().values()  # of which a module may make anything
    return _hash_of_tensors([value for value in kept if isinstance(value, Tensor)])


def _hash_of_tensors(tensors: list[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        values = tensor.detach().to_dense().cpu().contiguous().reshape(-1)
        digest.update(values.view(torch.uint8).numpy().tobytes())  # numpy knows no bfloat16
    return digest.hexdigest()[:16]
