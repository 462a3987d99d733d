"""Functions of a rule's wildcards, as Snakemake calls them, made from functions of cells."""

import difflib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from solverproof.study.cells import Cell


def of_cell(cells: Mapping[str, Cell], *steps: Callable[..., Any]) -> Callable[..., Any]:
    """A function of the wildcard `cell`.

    Args:
        cells: all cells by path.
        steps: a function of the cell, and functions to apply to its result, in order.
    """

    def function(wildcards: Any) -> Any:
        result: Any = _find(cells, wildcards.cell)
        for step in steps:
            result = step(result)
        return result

    return function


def of_attempt(cells: Mapping[str, Cell], need: Callable[[Cell, int], int]) -> Callable[..., Any]:
    """A function of the wildcard `cell` and the attempt, counted from 1."""

    # Snakemake passes the attempt to functions that have a parameter of this name.
    def function(wildcards: Any, attempt: int) -> int:
        return need(_find(cells, wildcards.cell), attempt)

    return function


def _find(cells: Mapping[str, Cell], path: str) -> Cell:
    """The cell of a path; the program ends with one line if there is none."""
    if path not in cells:
        near = " or ".join(difflib.get_close_matches(path, cells, cutoff=0))
        # Snakemake shows every exception of these functions with a traceback, and this one not.
        sys.exit(f"solverproof: {path} is no cell of this study; write for example {near}")
    return cells[path]
