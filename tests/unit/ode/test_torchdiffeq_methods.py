import json

import numpy as np
import pytest
import torch
from defined import autonomous
from scipy.integrate import solve_ivp
from test_tableaux import BOGACKI_SHAMPINE, SHIPPED
from torchdiffeq import odeint
from torchdiffeq._impl.odeint import SOLVERS as TORCHDIFFEQ

from solverproof.ode.integration import solve, trajectory
from solverproof.ode.solvers import METHODS, Setting, Solver, defined, known_solvers, table
from solverproof.ode.solvers import SOLVERS as BUILT_IN
from solverproof.ode.torchdiffeq_methods import name_in_torchdiffeq

FIXED = [name for name, definition in SHIPPED.items() if "b_embedded" not in definition]
PAIRS = [name for name, definition in SHIPPED.items() if "b_embedded" in definition]
START = torch.tensor([[1.0, -0.5], [0.3, 0.8]], dtype=torch.float64)


# the shipped methods, fixed-step twins of the pairs, and bosh3 from a tableau
SOLVERS = known_solvers(
    {
        **SHIPPED,
        **{
            f"fixed_{name}": {k: v for k, v in SHIPPED[name].items() if not k.startswith("b_emb")}
            for name in PAIRS
        },
        "my_bosh3": BOGACKI_SHAMPINE,
    }
)


@pytest.fixture(autouse=True)
def forgotten():
    """Torchdiffeq knows after a test what it knew before."""
    yield
    for name in set(TORCHDIFFEQ) - METHODS:
        del TORCHDIFFEQ[name]


def bent(state):
    return (
        torch.tanh(state @ torch.tensor([[0.4, -1.1], [0.9, 0.2]], dtype=state.dtype))
        - 0.2 * state**2
    )


def turning(state):
    x, y = state.T
    return (x**2 + y**2).unsqueeze(1) * torch.stack([-y, x], 1)


def turned(radius, angle, time):
    later = angle + radius**2 * time
    return radius.unsqueeze(1) * torch.stack([later.cos(), later.sin()], 1)


@pytest.mark.parametrize("name", [*FIXED, *(f"fixed_{name}" for name in PAIRS)])
def test_the_error_falls_with_the_stated_order(name):
    radius, angle = torch.tensor([0.6, 0.9, 1.2]).double(), torch.tensor([0.0, 1.0, 2.5]).double()
    start, end = turned(radius, angle, 0.0), turned(radius, angle, 3.0)
    steps = [192, 256, 384, 512]
    errors = [
        (solve(autonomous(turning), start, Setting.of(SOLVERS[name], n), horizon=3.0).state - end)
        .abs()
        .max()
        for n in steps
    ]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert -slope == pytest.approx(SOLVERS[name].order, abs=0.1)


@pytest.mark.parametrize("name", FIXED)
@pytest.mark.parametrize("steps", [1, 7, 64])
def test_evaluations_are_stages_times_steps(name, steps):
    solution = solve(autonomous(bent), START, Setting.of(SOLVERS[name], steps), horizon=0.7)
    assert (solution.steps, solution.nfe) == (steps, steps * SOLVERS[name].stages)
    assert torch.equal(
        solution.state,
        trajectory(autonomous(bent), START, Setting.of(SOLVERS[name], steps), horizon=0.7).state[
            -1
        ],
    )


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5, 1e-8])
def test_bosh3_from_its_tableau_takes_the_steps_of_torchdiffeq_s_own(tolerance):
    ours, theirs = (
        solve(autonomous(bent), START, Setting.of(SOLVERS[name], tolerance), horizon=2.0)
        for name in ("my_bosh3", "bosh3")
    )
    assert (ours.nfe, ours.steps, ours.rejected) == (theirs.nfe, theirs.steps, theirs.rejected)
    torch.testing.assert_close(ours.state, theirs.state, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PAIRS)
def test_evaluations_of_a_pair_are_those_of_its_steps_and_two_to_begin_with(name):
    solution = solve(autonomous(bent), START, Setting.of(SOLVERS[name], 1e-4), horizon=2.0)
    assert solution.nfe == 2 + SOLVERS[name].stages * (solution.steps + solution.rejected)


@pytest.mark.parametrize("name", PAIRS)
def test_the_error_of_a_pair_falls_with_its_tolerance(name):
    def field(_, z):
        return bent(torch.from_numpy(z).view(2, 2)).flatten().numpy()

    exact = solve_ivp(
        field, (0, 2), START.flatten().numpy(), method="DOP853", rtol=1e-12, atol=1e-13
    ).y[:, -1]
    errors = [
        np.abs(
            solve(autonomous(bent), START, Setting.of(SOLVERS[name], t), horizon=2.0)
            .state.flatten()
            .numpy()
            - exact
        ).max()
        for t in (1e-2, 1e-4, 1e-6)
    ]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    # Fehlberg's estimate is a 512th of the difference of two slopes, so its error is larger
    assert errors[2] < (512 if "fehlberg" in name else 10) * 1e-6


@pytest.mark.parametrize("name", [*FIXED, *PAIRS])
def test_gradients_are_those_of_finite_differences(name):
    # a pair's own steps change with the field and carry no gradient, so they must be fine enough
    # not to matter
    setting = Setting.of(SOLVERS[name], 1e-8 if name in PAIRS else 3)

    def end(scale):
        return solve(lambda _, z: scale * bent(z), START, setting, horizon=0.5).state.sum()

    scale = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    end(scale).backward()
    h = 1e-6
    with torch.no_grad():
        difference = (end(scale + h) - end(scale - h)) / (2 * h)
    assert scale.grad.item() == pytest.approx(difference.item(), rel=1e-4)


@pytest.mark.parametrize("name", [*FIXED, *PAIRS])
def test_gradients_at_given_steps_are_exact(name):
    ends = torch.tensor([0.0, 0.5], dtype=torch.float64)
    fixed, held = (
        {"step_size": 0.25},
        {"first_step": 0.25, "min_step": 0.25, "max_step": 0.25, "step_t": ends[1:]},
    )
    name_in_torchdiffeq(SOLVERS[name])

    def end(state, scale):
        how = {"method": name, "options": held if name in PAIRS else fixed}
        return odeint(lambda _, z: scale * bent(z), state, ends, **how)[-1]

    scale = torch.tensor(0.9, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(end, (START.clone().requires_grad_(), scale))


@pytest.mark.parametrize(
    ("name", "power"), [("my_bosh3", 3), ("heun_euler", 2), ("tsit5", 5), ("euler_first", 2)]
)
def test_the_next_step_is_set_by_the_power_of_the_step_that_the_error_estimate_falls_with(
    name, power
):
    # Fehlberg 1969, RK1(2), that goes on with the method of order 1
    low = {
        "order": 1,
        "embedded_order": 2,
        "c": [0, "1/2", 1],
        "a": [[], ["1/2"], ["1/256", "255/256"]],
        "b": ["1/256", "255/256", 0],
        "b_embedded": ["1/512", "255/256", "1/512"],
    }
    name_in_torchdiffeq(defined(name, low) if name == "euler_first" else SOLVERS[name])
    assert TORCHDIFFEQ[name].order == power


@pytest.mark.parametrize("name", PAIRS)
def test_the_field_is_never_asked_beyond_the_end_whatever_rounding_the_row_sums_have(name):
    name_in_torchdiffeq(SOLVERS[name])
    times, ends = [], torch.tensor([0.0, 1.0]).double()
    odeint(
        lambda t, z: times.append(t.item()) or bent(z),
        START,
        ends,
        method=name,
        options={"step_t": ends[1:]},
    )
    # torchdiffeq asks one rounding before the end of a step, but only at a node that is exactly one
    assert max(times) == np.nextafter(1.0, 0.0)


@pytest.mark.parametrize("name", ["my_bosh3", "tsit5"])
def test_output_within_a_step_is_off_by_the_fourth_power_of_the_step(name):
    radius, angle = torch.tensor([0.6, 0.9, 1.2]).double(), torch.tensor([0.0, 1.0, 2.5]).double()
    name_in_torchdiffeq(SOLVERS[name])
    sizes, errors = [1 / 8, 1 / 16, 1 / 32], []
    for h in sizes:
        times = torch.tensor([0.0, h / 3, h]).double()
        options = {"first_step": h, "min_step": h, "max_step": h}
        state = odeint(
            lambda _, z: turning(z), turned(radius, angle, 0.0), times, method=name, options=options
        )[1]
        errors.append((state - turned(radius, angle, h / 3)).abs().max())
    assert np.polyfit(np.log(sizes), np.log(errors), 1)[0] == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_the_name_of_a_method_of_torchdiffeq_is_refused_and_its_method_kept(name):
    theirs = TORCHDIFFEQ[name]
    with pytest.raises(ValueError, match=f"torchdiffeq has a method '{name}'"):
        name_in_torchdiffeq(defined(name, SHIPPED["ssprk3"]))
    assert TORCHDIFFEQ[name] is theirs


def test_what_a_configuration_defines_leaves_the_built_in_solvers_as_they_are():
    before = dict(BUILT_IN)
    known_solvers({"mine": SHIPPED["ralston2"]})
    assert dict(BUILT_IN) == before
    with pytest.raises(TypeError, match="does not support item assignment"):
        BUILT_IN["mine"] = before["euler"]


@pytest.mark.parametrize("name", [*FIXED, *PAIRS])
def test_a_solver_comes_back_from_json_with_its_tableau(name):
    solver = SOLVERS[name]
    again = Solver.from_json(json.loads(json.dumps(solver.to_json())))
    assert again == solver
    assert (again.tableau, again.stages) == (solver.tableau, solver.stages)


def test_the_same_tableau_is_the_same_method_again():
    name_in_torchdiffeq(defined("mine", SHIPPED["ssprk3"]))
    first = TORCHDIFFEQ["mine"]
    name_in_torchdiffeq(defined("mine", SHIPPED["ssprk3"]))
    assert TORCHDIFFEQ["mine"] is first


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", [*FIXED, *PAIRS])
def test_a_state_keeps_its_precision(name, dtype):
    setting = Setting.of(SOLVERS[name], 1e-3 if name in PAIRS else 4)
    assert solve(autonomous(bent), START.to(dtype), setting, horizon=1.0).state.dtype == dtype


def test_another_definition_of_a_name_takes_its_place():
    first, second = (
        solve(
            autonomous(bent), START, Setting(defined("mine", SHIPPED[name]), steps=2), horizon=1.0
        )
        for name in ("ralston2", "classic_rk4")
    )
    assert (first.nfe, second.nfe) == (4, 8)


def test_every_method_of_torchdiffeq_is_known_or_known_not_to_be_trained_through():
    assert set(TORCHDIFFEQ) == METHODS
    assert set(BUILT_IN) & {"scipy_solver", "fixed_adams"} == set()


def test_the_table_has_a_line_for_every_solver():
    lines = table().splitlines()
    assert len(lines) == len(BUILT_IN) + 1
    for line, solver in zip(lines[1:], BUILT_IN.values(), strict=True):
        assert line.split()[:4] == [solver.name, solver.kind, str(solver.order), str(solver.stages)]
