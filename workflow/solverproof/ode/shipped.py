"""The solvers that torchdiffeq lacks and this package brings, by their Butcher tableaux."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).with_suffix(".yaml")


@cache
def shipped() -> Mapping[str, Any]:
    """Their definitions by name, as under `solvers` in the configuration.

    Only the plan reads them. A job gets the numbers of a solver with its specification, so another
    solver in the file re-runs nothing.
    """
    definitions: Mapping[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return definitions
