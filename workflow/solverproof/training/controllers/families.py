"""The controllers by the names of their families."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from solverproof.ode.solvers import SOLVERS
from solverproof.training.batches import stream
from solverproof.training.controllers.base import Controller
from solverproof.training.controllers.paper_rule import Adaptation
from solverproof.training.controllers.random_steps import RandomSteps


def controller(spec: Mapping[str, Any]) -> Controller:
    """The controller that a training specification of a single seed describes."""
    (seed,), options, solver = spec["seeds"], spec["controller"], SOLVERS[spec["solver"]]
    if options["family"] == "random":
        return RandomSteps(options, solver, np.random.default_rng(stream(spec["identity"], seed)))
    return Adaptation(options, solver, seed)
