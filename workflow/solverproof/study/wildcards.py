"""Functions of a rule's wildcards, as Snakemake calls them, made from functions of cells."""

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
        result: Any = cells[wildcards.cell]
        for step in steps:
            result = step(result)
        return result

    return function


def of_attempt(cells: Mapping[str, Cell], need: Callable[[Cell, int], int]) -> Callable[..., Any]:
    """A function of the wildcard `cell` and the attempt, counted from 1."""

    # Snakemake passes the attempt to functions that have a parameter of this name.
    def function(wildcards: Any, attempt: int) -> int:
        return need(cells[wildcards.cell], attempt)

    return function
