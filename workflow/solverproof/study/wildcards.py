"""Functions of a rule's wildcards, as Snakemake calls them, made from functions of cells."""

from collections.abc import Callable, Mapping
from inspect import signature
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

    return _signed(function)


def of_attempt(cells: Mapping[str, Cell], need: Callable[[Cell, int], int]) -> Callable[..., Any]:
    """A function of the wildcard `cell` and the attempt, counted from 1."""

    def function(wildcards: Any, attempt: int) -> int:
        return need(cells[wildcards.cell], attempt)

    return _signed(function)


def _signed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its signature at hand.

    Snakemake asks for it with every call, which took a tenth of a dry run's time.
    """
    function.__signature__ = signature(function)  # type: ignore[attr-defined]
    return function
