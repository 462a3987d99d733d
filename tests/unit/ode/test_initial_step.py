import numpy as np
import pytest
import torch
from defined import autonomous
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate._ivp.common import select_initial_step

from solverproof.ode.initial_step import TOLERANCE, initial_step

numbers = st.floats(-3, 3)


@given(
    st.lists(numbers, min_size=4, max_size=4),
    st.lists(numbers, min_size=4, max_size=4),
    st.integers(1, 8),
    st.sampled_from([1e-1, 1e-3, 1e-6]),
)
def test_the_first_step_is_that_of_scipy_on_any_field(weights, start, order, tolerance):
    matrix, state = np.reshape(weights, (2, 2)), np.array(start)

    def field(_, z):
        return (np.sin(z.reshape(2, 2) @ matrix) + 0.1).ravel()

    expected = select_initial_step(
        field, 0.0, state, np.inf, np.inf, field(0, state), 1, order, tolerance, tolerance
    )
    step, nfe = initial_step(
        lambda _, z: torch.sin(z @ torch.from_numpy(matrix)) + 0.1,
        torch.from_numpy(state).view(2, 2),
        order,
        tolerance,
    )
    assert step == pytest.approx(expected, rel=1e-9)
    assert nfe == 2


@pytest.mark.parametrize(
    ("field", "start"),
    [(torch.zeros_like, [1.0, 2.0]), (torch.zeros_like, [0.0, 0.0]), (lambda z: z + 1, [0.0, 0.0])],
    ids=["no motion", "neither motion nor state", "no state"],
)
def test_a_step_is_found_where_a_norm_vanishes(field, start):
    state = torch.tensor(start, dtype=torch.float64)
    expected = select_initial_step(
        lambda _, z: field(torch.from_numpy(z)).numpy(), 0.0, state.numpy(), np.inf, np.inf,
        field(state).numpy(), 1, 1, TOLERANCE, TOLERANCE,
    )  # fmt: skip
    step, _ = initial_step(autonomous(field), state, 1)
    assert step == pytest.approx(expected, rel=1e-12)
    assert step > 0


def test_a_field_that_turns_faster_gets_a_smaller_step():
    state = torch.tensor([1.0, 0.0])
    steps = [
        initial_step(lambda _, z, w=w: w * torch.stack([-z[1], z[0]]), state, 2)[0]
        for w in (0.1, 1.0, 10.0)
    ]
    assert steps == sorted(steps, reverse=True)
