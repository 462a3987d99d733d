"""Runge-Kutta methods given by their Butcher tableau, with their order conditions checked."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations_with_replacement
from typing import Any

# Largest accepted residual of order conditions and row sums. Coefficients cut to 16 digits leave up
# to 2e-14 (Tsitouras 5(4), whose conditions move by up to 12 times the error of one coefficient); a
# coefficient that is off by 1e-10 leaves over 1e-12.
ROUNDING = Fraction(1, 10**13)

Tree = tuple[Any, ...]
"""A rooted tree: the sorted tuple of the trees on its root."""


class TableauError(ValueError):
    """An error in the definition of a method.

    Attributes:
        key: where, as a path in the definition.
        message: what is wrong and what to write instead, in one line.
    """

    def __init__(self, key: tuple[str | int, ...], message: str) -> None:
        super().__init__(f"{'.'.join(map(str, key))}: {message}")
        self.key, self.message = key, message


@dataclass(frozen=True)
class Tableau:
    """An explicit Runge-Kutta method, with an embedded one where `b_embedded` is not empty.

    Attributes:
        c: nodes.
        a: rows of the matrix, each with the entries left of the diagonal.
        b: weights.
        order: order of convergence.
        b_embedded: weights of the embedded method, whose difference estimates the error.
        embedded_order: its order of convergence; None where there is none.
    """

    c: tuple[Fraction, ...]
    a: tuple[tuple[Fraction, ...], ...]
    b: tuple[Fraction, ...]
    order: int
    b_embedded: tuple[Fraction, ...] = ()
    embedded_order: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The definition that `parse` reads, with exact numbers as text."""
        # Exact numbers are written as text, because JSON has no fractions.
        vectors = {"c": self.c, "b": self.b, "b_embedded": self.b_embedded}
        plain: dict[str, Any] = {name: [str(x) for x in v] for name, v in vectors.items() if v}
        orders = {"order": self.order, "embedded_order": self.embedded_order}
        plain |= {name: order for name, order in orders.items() if order is not None}
        return {**plain, "a": [[str(x) for x in row] for row in self.a]}

    @property
    def is_fsal(self) -> bool:
        """Whether the last stage is the field at the new point ("first same as last"; HNW II.5).

        The last row of `a` may repeat `b` with fewer digits.
        """
        repeated = (abs(x - y) <= ROUNDING for x, y in zip(self.a[-1], self.b[:-1], strict=True))
        return self.b[-1] == 0 and all(repeated)

    @property
    def evaluations_per_step(self) -> int:
        """Evaluations per step; for an FSAL pair after the first step, whose last one it reuses."""
        return len(self.b) - (1 if self.b_embedded and self.is_fsal else 0)


def parse(definition: Mapping[str, Any]) -> Tableau:
    """Read and check the definition of a method, as under `solvers` in the configuration.

    An order below the true one is an error as well, because step size control and the comparison
    of solvers both rely on it.

    Source: Hairer, Nørsett, Wanner, Solving ODEs I (2nd ed. 1993), II.1 (row sums) and theorem
    II.2.13 (order conditions).

    Raises:
        TableauError: if its shape, an entry, a row sum or a stated order is wrong.
    """
    order, c, b = definition["order"], _numbers(definition, "c"), _numbers(definition, "b")
    a = tuple(_numbers(definition["a"], i, "a") for i in range(len(definition["a"])))
    b_embedded = _numbers(definition, "b_embedded") if "b_embedded" in definition else ()
    _check_shape(a, {"c": c, "b": b, **({"b_embedded": b_embedded} if b_embedded else {})})
    for i, (entries, node) in enumerate(zip(a, c, strict=True)):
        row = sum(entries, Fraction())
        # The order conditions below assume it: they are those of the autonomous form.
        if abs(row - node) > ROUNDING:
            raise TableauError(
                ("c", i), f"{_plain(node)} is not the sum of its row of a; write {_plain(row)}"
            )
    _check_order(a, b, order, "order")
    if not b_embedded:
        return Tableau(c, a, b, order)
    embedded_order = definition["embedded_order"]
    _check_order(a, b_embedded, embedded_order, "embedded_order")
    # Step size control takes the difference of the two as the error of the lower-order one.
    if embedded_order == order:
        raise TableauError(
            ("embedded_order",), f"it is the order itself, {order}; write weights of another order"
        )
    return Tableau(c, a, b, order, b_embedded, embedded_order)


def _numbers(owner: Any, key: str | int, *path: str) -> tuple[Fraction, ...]:
    return tuple(_number(value, (*path, key, i)) for i, value in enumerate(owner[key]))


def _number(value: float | str, key: tuple[str | int, ...]) -> Fraction:
    """The exact value of a number as it is written."""
    try:
        # By way of text, so that 0.1 in YAML is 1/10 and not the nearest binary number.
        return Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        raise TableauError(
            key, f"{value!r} is not a number; write one, such as 0.5 or '1/3'"
        ) from None


def _check_shape(
    a: Sequence[Sequence[Fraction]], vectors: Mapping[str, Sequence[Fraction]]
) -> None:
    for i, row in enumerate(a):
        if len(row) != i:
            raise TableauError(
                ("a", i), f"the row has {len(row)} entries; write the {i} left of the diagonal"
            )
    for name, vector in vectors.items():
        if len(vector) != len(a):
            raise TableauError(
                (name,), f"there are {len(vector)} entries for {len(a)} stages; write {len(a)}"
            )


def _check_order(
    a: Sequence[Sequence[Fraction]], b: Sequence[Fraction], stated: int, key: str
) -> None:
    order = order_of(a, b)
    if stated < order:
        raise TableauError((key,), f"the method has order {order}; write that")
    if stated > order:
        tree, residual = next(_failures(a, b, order + 1))
        remedy = (
            f"the method has order {order}: write that, or fix the coefficients"
            if order
            else "fix b"
        )
        raise TableauError(
            (key,), f"the condition {_condition(tree)} fails by {float(residual):.2g}; {remedy}"
        )


def order_of(a: Sequence[Sequence[Fraction]], b: Sequence[Fraction]) -> int:
    """Order of a method: the largest p such that all conditions up to p hold."""
    order = 0
    # An explicit method of s stages has at most order s, so the search ends.
    while order < len(b) and not any(_failures(a, b, order + 1)):
        order += 1
    return order


def _failures(
    a: Sequence[Sequence[Fraction]], b: Sequence[Fraction], size: int
) -> Iterator[tuple[Tree, Fraction]]:
    """Trees with `size` vertices whose condition fails, and by how much."""
    for tree in trees(size):
        residual = _weight(tree, a, b) - Fraction(1, _density(tree))
        if abs(residual) > ROUNDING:
            yield tree, residual


@cache
def trees(size: int) -> tuple[Tree, ...]:
    """All rooted trees with `size` vertices."""
    # Cached, because the recursion over forests asks for the same sizes many times.
    return tuple(_forests(size - 1, size - 1))


def _forests(size: int, largest: int) -> Iterator[Tree]:
    """All multisets of trees of at most `largest` vertices each, with `size` vertices together."""
    if size == 0:
        yield ()
        return
    if largest == 0:
        return
    # The largest trees first, then smaller ones: each multiset is generated once.
    for count in range(size // largest + 1):
        for chosen in combinations_with_replacement(trees(largest), count):
            for rest in _forests(size - count * largest, largest - 1):
                yield (*chosen, *rest)


def _size(tree: Tree) -> int:
    return 1 + sum(_size(branch) for branch in tree)


def _density(tree: Tree) -> int:
    """gamma(t): the product of the sizes of all subtrees (HNW definition II.2.10)."""
    return _size(tree) * math.prod(_density(branch) for branch in tree)


def _weight(tree: Tree, a: Sequence[Sequence[Fraction]], b: Sequence[Fraction]) -> Fraction:
    """Elementary weight of a tree (HNW definition II.2.9)."""
    return sum(
        (weight * value for weight, value in zip(b, _stages(tree, a), strict=True)), Fraction()
    )


def _stages(tree: Tree, a: Sequence[Sequence[Fraction]]) -> list[Fraction]:
    """The tree's elementary weight at each stage: a product over its branches."""
    branches = [_stages(branch, a) for branch in tree]
    return [math.prod((_dot(row, values) for values in branches), start=Fraction(1)) for row in a]


def _dot(row: Sequence[Fraction], values: Sequence[Fraction]) -> Fraction:
    # A row ends at the diagonal, so the values of later stages are left over.
    return sum((entry * value for entry, value in zip(row, values, strict=False)), Fraction())


def _condition(tree: Tree) -> str:
    """The order condition of a tree as in textbooks, for example sum b_i c_i^2 = 1/3."""
    factors = _factors(tree, "i", iter("jklmnopqrstuvwxyz"))
    return f"sum {' '.join(('b_i', *factors))} = {Fraction(1, _density(tree))}"


def _factors(tree: Tree, index: str, unused: Iterator[str]) -> Iterator[str]:
    """The factors of a vertex and all above it.

    Its leaves give a power of c, because c holds the row sums of a; every other branch gives an
    entry of a with a new index.
    """
    if leaves := tree.count(()):
        yield f"c_{index}" + (f"^{leaves}" if leaves > 1 else "")
    for branch in filter(None, tree):
        inner = next(unused)
        yield f"a_{index}{inner}"
        yield from _factors(branch, inner, unused)


def _plain(value: Fraction) -> str:
    # 1/3 reads better as a fraction, a decimal of 16 digits does not.
    return str(value) if value.denominator < 10**6 else f"{float(value)!r}"
