"""Results of audits, made by hand."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from solverproof.auditing.intervals import share_interval
from solverproof.auditing.result import Advice, AuditResult, Candidate
from solverproof.files import columns
from solverproof.ode.solvers import SOLVERS, Setting

SAMPLES = 1000
ERROR = {"median": 1.0, "p95": 4.0, "max": 20.0}
ALL = (
    "euler", "midpoint", "heun2", "heun3", "rk4", "fehlberg2", "adaptive_heun", "bosh3", "dopri5",
    "dopri8",
)  # fmt: skip


def candidate(solver, value, missed, error=0.01, nfe=None, accept=0.01, **others):
    """A setting under which so many of a thousand samples miss the flow; None: it failed."""
    setting = Setting.of(SOLVERS[solver], value)
    failed = missed is None
    low, high = (math.nan, math.nan) if failed else share_interval(missed, SAMPLES)
    evaluations = SOLVERS[solver].stages * value if setting.steps else round(60 * value**-0.2)
    row = {
        "solver": solver,
        "steps": setting.steps,
        "tolerance": setting.tolerance,
        "atol": setting.atol,
        "deployed": False,
        "nfe": nfe or int(evaluations),
        "seconds_per_sample": 1.3e-6 * evaluations,
        "disagreement": math.nan if failed else missed / SAMPLES,
        "disagreement_low": low,
        "disagreement_high": high,
        **{
            f"error_{kind}_{name}": math.nan if failed else scale * error * factor
            for kind, scale in (("absolute", 3.0), ("relative", 1.0))
            for name, factor in ERROR.items()
        },
        "certified": math.nan if failed else max(0.0, 1 - 30 * error),
        "safe": not failed and high <= accept,
        "pareto": False,
        "status": "nonfinite" if failed else "ok",
        "reason": "the state overflows at t = 0.25" if failed else None,
    }
    return vars(Candidate(**row | others))


def table(*rows):
    return pd.DataFrame(rows, columns=columns(Candidate))


def samples(missed, *, predictions=True):
    """Columns of a thousand samples, of which the first ones miss the flow."""
    generator = np.random.default_rng(0)
    agrees = np.arange(SAMPLES) >= missed
    reference = generator.integers(0, 3, SAMPLES)
    found = {
        "error_absolute": generator.exponential(0.03, SAMPLES),
        "error_relative": generator.exponential(0.01, SAMPLES),
        "reference_distance": generator.exponential(1e-7, SAMPLES),
        "agrees": agrees,
    }
    if not predictions:
        return found
    return found | {
        "prediction": np.where(agrees, reference, (reference + 1) % 3),
        "reference_prediction": reference,
        "margin": np.where(np.arange(SAMPLES) == 0, math.inf, 0.7),
        "control_ratio": np.full(SAMPLES, 0.2),
    }


CHECKS = [
    {
        "name": "determinism",
        "value": 0.0,
        "ok": True,
        "sentence": "Two runs give the same bits.",
    },
    {
        "name": "steps_taken",
        "value": 32,
        "ok": True,
        "sentence": "32 steps were asked for, and 32 were taken.",
    },
    {
        "name": "alone_against_batch",
        "value": 0.0,
        "ok": True,
        "sentence": "No prediction changes when samples are solved alone.",
    },
    {
        "name": "precision",
        "value": 0.002,
        "ok": None,
        "sentence": "0.2 % of the predictions change from float32 to float64.",
    },
]
PROVENANCE = {
    "model": "rings-node",
    "versions": {"solverproof": "0.2.0", "python": "3.11.9", "torch": "2.13.0"},
    "machine": {"platform": "Linux-6.1-x86_64", "processor": "AMD EPYC 7R13", "cores": 2},
    "hashes": {"weights": "9f2c" * 16, "inputs": "07ab" * 16},
    "started": "2026-11-25T09:12:44+00:00",
    "finished": "2026-11-25T09:13:31+00:00",
}


def result(verdict, kind, deployed, rows, **others):
    """An audit whose disagreement is that of the deployed row."""
    settings = table(*rows)
    row = settings[settings["deployed"]].iloc[0] if len(rows) else None
    share = math.nan if row is None else row["disagreement"]
    given = {
        "verdict": verdict,
        "kind": kind,
        "judged": "predictions",
        "reasons": [],
        "deployed": deployed,
        "accept": 0.01,
        "confidence": 0.95,
        "samples": SAMPLES,
        "disagreement": share,
        "disagreement_interval": (math.nan, math.nan)
        if row is None
        else (row["disagreement_low"], row["disagreement_high"]),
        "measures": {},
        "settings": settings,
        "advice": None,
        "per_sample": samples(0 if math.isnan(share) else round(share * SAMPLES)),
        "provenance": PROVENANCE,
    }
    return AuditResult(**given | others)


def passed(**others):
    """Faithful with 32 steps of Euler, more cheaply so with 8 of the midpoint rule."""
    rows = [
        candidate("euler", 4, 311, 0.2),
        candidate("euler", 8, 122, 0.1),
        candidate("euler", 16, 31, 0.05),
        candidate("euler", 32, 3, 0.025, deployed=True),
        candidate("euler", 64, 1, 0.0125),
        candidate("midpoint", 2, 210, 0.11, pareto=True),
        candidate("midpoint", 4, 24, 0.028, pareto=True),
        candidate("midpoint", 8, 1, 0.007, pareto=True),
        candidate("rk4", 1, None),
        candidate("rk4", 2, 14, 0.02, pareto=True),
        candidate("rk4", 4, 0, 0.0012),
        candidate("rk4", 8, 0, 0.00008, pareto=True),
        candidate("dopri5", 0.1, 62, 0.06),
        candidate("dopri5", 0.001, 0, 0.0006),
    ]
    call = 'odeint(field, z0, times, method="midpoint", options={"step_size": 1 / 8})[-1]'
    given = {
        "reasons": [
            "3 of 1,000 predictions differ from the flow's: 0.30 % (0.06 to 0.87).",
            "The error falls with order 1.02, as Euler's does.",
            "An early error may grow by a factor of 2.1 on the way.",
        ],
        "advice": Advice(Setting(SOLVERS["midpoint"], steps=8), 16, call),
        "measures": {
            "checks": CHECKS,
            "order": {
                "euler": {"observed": 1.02, "expected": 1, "asymptotic": True},
                "midpoint": {"observed": 1.97, "expected": 2, "asymptotic": True},
                "rk4": {"observed": 3.4, "expected": 4, "slopes": [2.9, 3.4], "asymptotic": False},
            },
            "growth": {"integral_median": 0.74, "factor_median": 2.1, "factor_p95": 5.8},
            "stability": {"share_unstable": 0.0, "step_times_lipschitz": {"median": 0.06}},
            "crossing": {"steps": None, "found": False},
            "horizon": 1.0,
            "own_measure": {"rows": [{"layer": 1, "norm": 3.2}, {"layer": 2, "norm": math.nan}]},
        },
    }
    return result("PASS", "ode", Setting(SOLVERS["euler"], steps=32), rows, **given | others)


def failed(**others):
    """Eight steps of Euler that are a residual network; no setting is safe."""
    rows = [
        candidate("euler", 4, 514, 0.6),
        candidate("euler", 8, 361, 0.4, deployed=True),
        candidate("euler", 16, 288, 0.3),
        candidate("rk4", 8, 61, 0.05, pareto=True),
    ]
    given = {"reasons": ["361 of 1,000 predictions differ from the flow's: 36.1 %."]}
    deployed = Setting(SOLVERS["euler"], steps=8)
    return result("FAIL", "solver-bound", deployed, rows, **given | others)


def unresolved(**others):
    """A flow that could not be computed, and no settings."""
    given = {"reasons": ["On 41 % of the samples Dopri 5 gave up at t = 0.62."]}
    deployed = Setting(SOLVERS["dopri5"], tolerance=0.1)
    return result("INCONCLUSIVE", "unresolved", deployed, [], **given | others)


def values(**others):
    """A model without a head: 1.2 % of its outputs are farther off than 0.02."""
    rows = [
        candidate("rk4", 2, 240, 0.02, accept=0.05, certified=math.nan),
        candidate("rk4", 4, 12, 0.003, accept=0.05, certified=math.nan, deployed=True),
    ]
    given = {"judged": "values", "accept": 0.02, "per_sample": samples(12, predictions=False)}
    return result("PASS", "ode", Setting(SOLVERS["rk4"], steps=4), rows, **given | others)


def many(**others):
    """Sixty settings of ten solvers."""
    rows = [
        candidate(
            solver,
            10.0**-k if SOLVERS[solver].is_adaptive else 2**k,
            round(500 / 3 ** (k + 0.3 * i)),
            0.4 / 2 ** (k * SOLVERS[solver].order),
            deployed=(solver, k) == ("euler", 5),
        )
        for i, solver in enumerate(ALL)
        for k in range(1, 7)
    ]
    deployed = Setting(SOLVERS["euler"], steps=32)
    return result("PASS", "ode", deployed, rows, **others)


def undecided(**others):
    """Too few samples to tell."""
    rows = [candidate("euler", 32, 9, 0.02, deployed=True)]
    deployed = Setting(SOLVERS["euler"], steps=32)
    return result("INCONCLUSIVE", "unresolved", deployed, rows, **others)


EVERY = {
    "passed": passed(),
    "failed": failed(),
    "unresolved": unresolved(),
    "values": values(),
    "many": many(),
    "undecided": undecided(),
    "pass without advice": replace(passed(), advice=None),
}
