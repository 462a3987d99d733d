"""Functions of a rule's wildcards, as Snakemake calls them, made from functions of cells."""

import difflib
import sys
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, TypeVar

from solverproof.study.cells import Cell

T = TypeVar("T")


def of_name(
    wildcard: str, known: Mapping[str, T], *steps: Callable[..., Any]
) -> Callable[..., Any]:
    """A function of one wildcard.

    Args:
        wildcard: the wildcard, which is also the word for what it names.
        known: what its values stand for.
        steps: a function of that, and functions to apply to its result, in order.
    """

    def function(wildcards: Any) -> Any:
        found = find(known, getattr(wildcards, wildcard), f"{wildcard} of this study")
        return reduce(lambda result, step: step(result), steps, found)

    return function


def of_seed(
    cells: Mapping[str, Cell], spec: Callable[[Cell, int], Any], *steps: Callable[..., Any]
) -> Callable[..., Any]:
    """A function of the wildcards `cell` and `seed`, as `of_name` makes them of one."""

    def function(wildcards: Any) -> Any:
        cell = find(cells, wildcards.cell, "cell of this study")
        seeds = {str(seed): seed for seed in cell.seeds}
        found = spec(cell, find(seeds, wildcards.seed, f"seed of {cell.path}"))
        return reduce(lambda result, step: step(result), steps, found)

    return function


def of_attempt(cells: Mapping[str, Cell], need: Callable[[Cell, int], int]) -> Callable[..., Any]:
    """A function of the wildcard `cell` and the attempt, counted from 1."""

    # Snakemake passes the attempt to functions that have a parameter of this name.
    def function(wildcards: Any, attempt: int) -> int:
        return need(find(cells, wildcards.cell, "cell of this study"), attempt)

    return function


def find(known: Mapping[str, T], name: str, what: str) -> T:
    """What a name of a path stands for; the program ends with one line if it stands for nothing."""
    if name not in known:
        near = " or ".join(difflib.get_close_matches(name, known, cutoff=0))
        # Snakemake shows every exception of these functions with a traceback, and this one not.
        sys.exit(f"solverproof: {name} is no {what}; write for example {near}")
    return known[name]
