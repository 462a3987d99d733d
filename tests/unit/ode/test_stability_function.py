"""The stability function against single steps of the methods themselves, and known values."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from solverproof.ode.integration import solve
from solverproof.ode.shipped import shipped
from solverproof.ode.solvers import Setting, known_solvers
from solverproof.ode.stability_function import amplification, stability_polynomial

SHIPPED = shipped()
# of order 1 with two stages, so that R has a term that no order condition gives
CHEBYSHEV = {"order": 1, "c": [0, "1/8"], "a": [[], ["1/8"]], "b": [0, 1]}
SOLVERS = known_solvers({**SHIPPED, "chebyshev": CHEBYSHEV})
FIXED = [name for name, solver in SOLVERS.items() if solver.kind == "fixed"]
parts = st.floats(-4, 4)


def factor(name, w):
    polynomial = stability_polynomial(SOLVERS[name])
    return float(amplification(polynomial, torch.tensor(w, dtype=torch.complex128)))


@pytest.mark.parametrize("name", FIXED)
@given(parts, parts, st.floats(0.1, 2))
def test_a_step_on_a_linear_field_grows_by_the_stability_function(name, real, imaginary, h):
    matrix = torch.tensor([[real, -imaginary], [imaginary, real]], dtype=torch.float64)
    start = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    one_step = Setting(SOLVERS[name], steps=1)
    end = solve(lambda _, z: z @ matrix.T, start, one_step, horizon=h).state
    expected = factor(name, h * complex(real, imaginary))
    assert float(end.norm()) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(parts, parts)
def test_the_polynomial_of_a_tableau_is_its_closed_form(real, imaginary):
    w = complex(real, imaginary)
    for solver in SOLVERS.values():
        if solver.tableau and solver.kind == "fixed":
            b = np.array(solver.tableau.b, float)
            a = np.zeros((len(b), len(b)))
            for i, row in enumerate(solver.tableau.a):
                a[i, :i] = np.array(row, float)
            expected = 1 + w * b @ np.linalg.solve(np.eye(len(b)) - w * a, np.ones(len(b)))
            assert factor(solver.name, w) == pytest.approx(abs(expected))


def test_kuttas_methods_have_one_stability_function():
    assert stability_polynomial(SOLVERS["rk4"])[:5] == stability_polynomial(SOLVERS["classic_rk4"])


@pytest.mark.parametrize(
    ("name", "border"),
    [("euler", -2), ("midpoint", -2), ("heun2", -2), ("heun3", -2.5127), ("rk4", -2.7853)],
)
def test_the_real_interval_of_stability_ends_where_books_say(name, border):
    assert factor(name, border + 1e-3) < 1 < factor(name, border - 1e-3)


def test_euler_amplifies_every_rotation_and_rk4_damps_slow_ones():
    assert factor("euler", 0.1j) == pytest.approx(1.01**0.5)
    assert factor("rk4", 2.82j) < 1 < factor("rk4", 2.84j)


@pytest.mark.parametrize("name", [n for n, s in SOLVERS.items() if s.kind != "fixed"])
def test_adaptive_and_multistep_methods_have_no_stability_function(name):
    assert stability_polynomial(SOLVERS[name]) is None
