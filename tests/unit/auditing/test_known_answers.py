"""Models made to deceive an audit, whose answers are known."""

import math
import re

import numpy as np
import pytest
import torch
from test_audit import QUICK, SAMPLES, answer, linear, plane, sides, turning
from torch import nn
from torchdiffeq import odeint

import solverproof
from solverproof.api import audit
from solverproof.auditing.call import solver_named
from solverproof.auditing.deployment import deploy, odeint_call
from solverproof.auditing.measures import relative_error
from solverproof.auditing.problem import problem
from solverproof.errors import InputError
from solverproof.ode.solvers import Setting
from solverproof.reporting.html.wording import bidding, finding

DOUBLE = torch.float64
ENOUGH = 400  # samples: none of them may miss then
FINE = {"solver": "rk4", "steps": 64}


def few(samples=ENOUGH, scale=1.0):
    return scale * plane(samples, dtype=DOUBLE)


def judged(field, z0=None, head=None, **call):
    z0 = few() if z0 is None else z0
    return audit(field, z0, head=head or sides().double(), **{**QUICK, **FINE, **call})


@pytest.mark.parametrize(
    "scale", [1e-12, *(pytest.param(scale, marks=pytest.mark.slow) for scale in (1.0, 1e12))]
)
@pytest.mark.parametrize(
    ("steps", "verdict"), [(50, "FAIL"), pytest.param(250, "PASS", marks=pytest.mark.slow)]
)
def test_a_verdict_does_not_depend_on_the_unit_of_the_states(scale, steps, verdict):
    result = judged(turning(40.0), few(scale=scale), steps=steps)
    assert result.verdict == verdict
    if verdict == "FAIL":
        h = 40.0 / steps
        phase = steps * math.atan2(h - h**3 / 6, 1 - h**2 / 2 + h**4 / 24)
        lag = abs(math.remainder(40.0 - phase, 2 * math.pi))
        low, high = result.disagreement_interval
        assert low <= lag / math.pi <= high


@pytest.mark.slow
def test_a_part_of_the_state_may_be_very_much_smaller_than_another():
    def field(_, state):
        large, small = state
        return -large, turning(40.0)(small)

    z0 = (1e12 * torch.ones(ENOUGH, 3, dtype=DOUBLE), few(scale=1e-12))

    def head(state):
        return torch.stack([state[1][:, 0], -state[1][:, 0]], 1)

    assert judged(field, z0, head, steps=50).verdict == "FAIL"
    assert judged(field, z0, head, steps=250).verdict == "PASS"


def test_a_part_of_the_state_may_be_a_label_of_which_a_field_takes_the_whole_number():
    def field(t, state):
        z, label = state
        return t * z * (1 + label.long()), torch.zeros_like(label)

    labels = (torch.arange(ENOUGH) % 7).double().unsqueeze(1)
    result = audit(field, (few(), labels), accept=1e-3, **FINE, **QUICK)
    assert result.verdict == "PASS"


@pytest.mark.slow
def test_a_decay_that_turns_is_followed_relative_to_its_size():
    field = linear([[-20.0, -20.0], [20.0, -20.0]])
    assert judged(field, steps=200).verdict == "PASS"
    assert judged(field, solver="euler", steps=200).verdict == "FAIL"


@pytest.mark.parametrize(
    "given",
    [
        "f(z)",
        *(pytest.param(given, marks=pytest.mark.slow) for given in ("f(t, z)", "time matters")),
    ],
)
def test_a_flow_that_overflows_is_not_judged_and_its_end_is_told(given):
    fields = {
        "f(z)": lambda z: 1000 * z,
        "f(t, z)": lambda _, z: 1000 * z,
        "time matters": lambda t, z: (1000 + t) * z,
    }
    result = judged(fields[given])
    assert (result.verdict, result.kind) == ("INCONCLUSIVE", "unresolved")
    told = re.search(
        r"gave up on 100.0% of the samples, half of them by t = ([\d.]+)", result.reasons[0]
    )
    # e^(1000 t) leaves float64 at t = 0.71; to follow it may take too many evaluations before
    assert (0.3 if given == "time matters" else 0.6) < float(told[1]) < 0.72


@pytest.mark.slow
def test_the_end_of_a_flow_is_told_in_the_users_time():
    result = judged(lambda z: 100 * z, interval=(10.0, 20.0))
    assert "half of them by t = 17" in result.reasons[0]


@pytest.mark.slow
def test_growth_that_stays_within_float64_is_judged():
    result = judged(lambda z: 200 * z, steps=16)
    assert result.verdict == "PASS"
    assert result.per_sample["error_relative"].min() > 0.1


def pulse(width):
    def field(t, z):
        area = torch.exp(-(((t - 0.37) / width) ** 2))
        return 1e3 * area * torch.tensor([8.0, 0.0]).to(z) + 0 * z

    return field


@pytest.mark.slow
@pytest.mark.parametrize("width", [1e-6, 3e-3])
def test_a_pulse_that_only_the_deployed_solver_saw_fails_nobody_for_want_of_looking(width):
    result = judged(pulse(width), solver="euler", steps=100)
    assert result.verdict == "INCONCLUSIVE"


@pytest.mark.slow
def test_a_field_that_ignores_its_time_is_solved_for_every_sample_alone():
    def field(t, z):  # a few samples blow up at once, which ends a solve of them together
        return torch.where(z[:, :1] > 100, z**3, -z) + 0 * t

    z0 = few(800)
    z0[:1] = 1000.0
    result = judged(field, z0, accept=0.05)
    assert result.verdict == "PASS"
    assert result.per_sample["resolved"].sum() == 799


class Switch(nn.Module):
    """Decays, but for states of which something is true, where the batch is mixed."""

    def forward(self, t, z):
        del t
        mixed = z - z.mean(0)
        return torch.where(z[:, :1].abs() > 2, 0.1 * mixed, z)


def test_coupling_in_a_part_of_the_space_is_found_where_the_flow_gets_there():
    assert judged(Switch(), few()).verdict == "INCONCLUSIVE"
    assert judged(Switch(), few(), interval=(0.0, 0.1)).verdict == "PASS"


class Resting(nn.Module):
    """Comes to rest in float32, where all that is left of a velocity is rounding."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(2, 64), nn.Linear(64, 2)

    def forward(self, z):
        return 3 * self.outer(torch.tanh(self.inner(z))) - 10 * z


def test_what_rounding_leaves_of_a_flow_at_rest_is_not_called_coupled():
    resting = Resting()
    call = {"interval": (0.0, 20.0), "steps": 512}
    result = judged(lambda z: 1 * resting(z), plane(ENOUGH), sides(), **call)
    assert (result.verdict, result.kind) == ("PASS", "ode")


@pytest.mark.parametrize("share", [1e-5, 1e-2])
def test_how_far_a_batch_changes_a_sample_is_told_however_little_it_is(share):
    result = judged(lambda z: z + share * z[:1])
    told = re.search(r"changes by up to (?:([\d.]+)%|a part in ([\d,]+))", result.reasons[0])
    found = float(told[1]) / 100 if told[1] else 1 / int(told[2].replace(",", ""))
    assert share / 3 < found < 10 * share


def test_a_field_that_refuses_what_is_not_finite_is_as_one_that_makes_nothing_of_it():
    def field(z):
        assert z.isfinite().all()
        return torch.where(z.abs() > 10, z**3, -12 * z)

    refused = judged(field, solver="euler", steps=64, candidates=None)
    assert refused.verdict == "PASS"
    assert (refused.settings["status"] != "ok").any()
    lost = judged(field, solver="euler", steps=4)
    assert lost.verdict == "FAIL"

    def broken(z):
        assert (z.norm(dim=1) > 0.1).all()
        return -z

    with pytest.raises(InputError, match="field: AssertionError"):
        judged(broken, interval=(0.0, 9.0))


@pytest.mark.parametrize(
    ("field", "solver", "bidden"),
    [
        (Switch(), "rk4", "stay with rk4"),
        (lambda z: 1e4 * z, "euler", "Do not deploy it with euler with 64 steps, which fails (400"),
    ],
)
def test_a_classifier_without_a_verdict_is_told_of_as_one(field, solver, bidden):
    result = judged(field, plane(ENOUGH), sides(), solver=solver)
    assert result.verdict == "INCONCLUSIVE"
    assert "Share of predictions unlike the flow's: not known" in finding(result)
    assert bidden in bidding(result)


def test_a_head_that_mixes_its_batch_predicts_nothing_of_a_sample():
    head = nn.Sequential(nn.BatchNorm1d(2), sides()).double()
    result = judged(lambda z: -z, head=head.train())
    assert result.verdict == "INCONCLUSIVE"
    assert "What the head makes of" in result.reasons[0]
    assert judged(lambda z: -z, head=head.eval()).verdict == "PASS"


def test_a_head_that_draws_is_refused():
    head = nn.Sequential(nn.Dropout(0.5), sides()).double().train()
    with pytest.raises(InputError, match="gave other outputs the second time"):
        judged(lambda z: -z, head=head)


MEMORY = torch.zeros(SAMPLES, 2)


def in_place(_, z):
    return torch.mul(z, -1.0, out=MEMORY[: len(z)])


def changes_states(_, z):
    return z.mul_(-1.0)


@pytest.mark.parametrize(
    ("field", "message"),
    [(in_place, "writes into its earlier result"), (changes_states, "changes the states")],
)
def test_a_field_that_writes_where_solvers_read_is_refused(field, message):
    with pytest.raises(InputError, match=message):
        audit(field, plane(), head=sides(), **FINE, **QUICK)


def test_a_field_may_return_the_same_constant_every_time():
    rate = torch.ones(ENOUGH, 2)
    assert answer(lambda _, z: rate[: len(z)].to(z), plane(ENOUGH), **FINE) == ("PASS", "ode")


@pytest.mark.slow
def test_a_solver_that_gave_up_fails_and_tells_nothing_of_the_model():
    def field(z):
        return torch.stack([-2e3 * (z[:, 0] - z[:, 1]), 0 * z[:, 1]], 1)

    z0 = plane(ENOUGH)
    result = audit(field, z0, head=sides(), solver="euler", steps=64, **QUICK)
    assert (result.verdict, result.kind) == ("FAIL", "unresolved")
    assert result.disagreement == 1.0
    silence = next(r for r in result.reasons if "no finite output" in r)
    assert "100 % of the samples get no finite output (400 outputs not finite)" in silence


@pytest.mark.slow
def test_a_rotation_through_a_tie_is_not_judged_by_rounding():
    # all samples end on the border of both classes
    z0 = torch.tensor([[0.0, 1.0]], dtype=DOUBLE).repeat(ENOUGH, 1)
    result = judged(turning(math.pi), z0)
    assert result.verdict != "FAIL"


def test_one_class_only_and_one_sample_only():
    assert judged(lambda z: -z, head=sides(bias=-100.0).double()).verdict == "PASS"
    assert judged(lambda z: -z, few(1)).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_refused(dtype):
    with pytest.raises(InputError, match="give float32 or float64"):
        answer(lambda z: -z, plane(ENOUGH, dtype=dtype), sides().to(dtype), **FINE)


@pytest.mark.parametrize(
    ("interval", "solver"),
    [((1e9, 1e9 + 1), FINE), ((1e9, 1e9 + 1), {"solver": "dopri5", "tolerance": 1e-3}),
     ((1e6, 1e6 + 1), FINE), ((0.0, 1e-50), FINE), ((0.0, 1e40), FINE)],
)  # fmt: skip
def test_times_that_float32_does_not_tell_apart_are_refused(interval, solver):
    with pytest.raises(InputError, match="does not tell those of"):
        audit(lambda _, z: -z, plane(), head=sides(), interval=interval, **solver, **QUICK)


def test_a_head_of_two_real_values_is_judged_by_their_error():
    def head(z):
        return torch.stack([z[:, 0] + 1e3, z[:, 1]], 1)

    call = {"solver": "euler", "steps": 4, "head": head, "compare": relative_error}
    assert judged(lambda z: -z, accept=0.5, **call).verdict == "PASS"
    assert judged(lambda z: -z, accept=1e-6, **call).verdict == "FAIL"


class Density(nn.Module):
    """A continuous normalizing flow that frees the graph of its own divergence."""

    def forward(self, t, state):
        z, _ = state
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            slope = torch.tanh(z) * (1 + t)
            (trace,) = torch.autograd.grad(slope.sum(), z)
        return slope, -trace.sum(1, keepdim=True)


@pytest.mark.slow
def test_a_field_that_frees_its_own_graph_is_audited():
    z0 = (few(), torch.zeros(ENOUGH, 1, dtype=DOUBLE))
    result = audit(Density(), z0, accept=1e-3, **FINE, **QUICK)
    assert result.verdict == "PASS"


@pytest.mark.parametrize("name", ["ralston2", "ralston3", "ssprk3", "classic_rk4"])
def test_shipped_solvers_are_known_by_name(name):
    assert judged(lambda z: -z, solver=name, steps=16).verdict == "PASS"


def test_an_unknown_solver_is_answered_with_all_that_are_known():
    with pytest.raises(InputError, match=r"known are: euler, .*dopri8, ralston2, .*tsit5"):
        judged(lambda z: -z, solver="my_own")


FORWARD, BACKWARD = (0.0, 1.0), (2.0, 0.5)


def pair(t, state):
    return -state[0] * t, turning(2.0)(state[1])


@pytest.mark.parametrize(
    ("interval", "batch_size"),
    [(FORWARD, 150), pytest.param(BACKWARD, ENOUGH, marks=pytest.mark.slow)],
    ids=["on", "back"],
)
@pytest.mark.parametrize(
    "setting",
    [{"solver": "rk4", "steps": 7}, {"solver": "dopri5", "tolerance": 1.23456e-4},
     {"solver": "dopri5", "tolerance": 1e-3, "atol": 1e-6},
     {"solver": "bosh3", "tolerance": 1e-4, "atol": 0},
     {"solver": "ssprk3", "steps": 5}, {"solver": "tsit5", "tolerance": 1e-4}],
)  # fmt: skip
@pytest.mark.parametrize(
    "field",
    [turning(2.0), lambda t, z: torch.cos(t) * z, pair],
    ids=["z", "tz", "pair"],
)
def test_the_line_that_is_advised_solves_as_it_was_measured(field, setting, interval, batch_size):
    z0 = (plane(ENOUGH), plane(ENOUGH, seed=1)) if field is pair else plane(ENOUGH)
    how = {"interval": interval, "batch_size": batch_size}
    result = audit(field, z0, accept=0.1, **how, **setting, **QUICK)
    assert ("split(150)" in result.advice.call) == (batch_size == 150)
    assert result.advice.solver == setting["solver"]
    names = {"torch": torch, "odeint": odeint, "solverproof": solverproof, "field": field, "z0": z0}
    end = eval(result.advice.call, names)  # noqa: S307  as a user pastes it
    whole = torch.cat(end, 1) if isinstance(end, tuple) else end
    start = torch.cat(z0, 1) if isinstance(z0, tuple) else z0
    assert whole.shape == start.shape
    made = (whole.double() - _exactly(field, z0, interval)).norm(dim=1)
    assert made.numpy() == pytest.approx(result.per_sample["error_absolute"], rel=1e-2, abs=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("interval", [FORWARD, BACKWARD], ids=["on", "back"])
@pytest.mark.parametrize("solver", ["euler", "rk4", "explicit_adams", "ssprk3"])
def test_solving_without_the_states_in_between_is_the_same_to_the_last_bit(solver, interval, dtype):
    field, setting = turning(2.0), Setting(solver_named("", solver), steps=7)
    model = problem(lambda t, z: t * field(z), plane(50, dtype=dtype), interval, None)
    names = {"torch": torch, "odeint": odeint, "solverproof": solverproof}
    line = odeint_call(setting, model)
    end = eval(line, {**names, "field": model.field, "z0": model.start})  # noqa: S307
    assert torch.equal(deploy(model, setting).states, end)


def test_small_states_pass_with_an_absolute_tolerance_of_their_size():
    def off(atol):
        loose = {"solver": "dopri5", "tolerance": 1e-3, "atol": atol}
        return audit(turning(4.0), 1e-4 * plane(ENOUGH), accept=1e-2, **loose, **QUICK)

    coarse, fine = off(1e-3), off(1e-8)
    assert (coarse.verdict, fine.verdict) == ("FAIL", "PASS")
    assert (fine.settings.loc[0, "tolerance"], fine.settings.loc[0, "atol"]) == (1e-3, 1e-8)


def _exactly(field, z0, interval):
    two = {"rtol": 1e-11, "atol": 1e-11, "method": "dopri8"}
    times = torch.tensor(interval, dtype=DOUBLE)
    if isinstance(z0, tuple):
        ends = odeint(field, tuple(part.double() for part in z0), times, **two)
        return torch.cat([part[-1] for part in ends], 1)
    full = field if field.__code__.co_argcount == 2 else lambda _, z: field(z)
    return odeint(full, z0.double(), times, **two)[-1]


@pytest.mark.parametrize(
    ("solver", "order"),
    [("euler", 1), ("midpoint", 2), ("heun3", 3), ("rk4", 4), ("ralston2", 2), ("classic_rk4", 4)],
)
@pytest.mark.parametrize(
    "field",
    [turning(2.0), lambda t, z: torch.cos(3 * t) * torch.tanh(z) + torch.sin(z.flip(1))],
    ids=["turning", "smooth"],
)
def test_the_observed_order_is_that_of_the_method(solver, order, field):
    result = judged(field, few(64), solver=solver, steps=8)
    assert result.measures["order"]["observed"] == pytest.approx(order, abs=0.2)


@pytest.mark.slow
def test_kinks_at_times_of_their_own_are_resolved_however_many_steps_are_deployed():
    def field(t, z):
        return 3 * torch.relu(torch.sin(7 * z + 5 * t)) - z

    fine = audit(field, few(80), accept=1e-2, **{**FINE, "steps": 256}, **QUICK)
    assert fine.verdict == "PASS"


@pytest.mark.slow
def test_chaos_is_not_resolved_and_not_passed():
    def lorenz(z):
        x, y, w = z.T
        return torch.stack([10 * (y - x), x * (28 - w) - y, x * y - 8 / 3 * w], 1)

    z0 = torch.randn(20, 3, dtype=DOUBLE, generator=torch.Generator().manual_seed(0))
    head = nn.Linear(3, 2).double()
    result = audit(lorenz, z0, solver="rk4", steps=2000, interval=(0.0, 50.0), head=head, **QUICK)
    assert result.verdict == "INCONCLUSIVE"


@pytest.mark.slow
def test_a_step_in_time_leaves_a_fine_solver_faithful():
    def field(t, z):
        return torch.where(t < 1 / 3, -1.0, 2.0) * z

    assert judged(field, head=sides(bias=1.0).double(), steps=1024).verdict == "PASS"


def test_a_long_horizon_is_a_horizon():
    slow = linear([[0.0, -0.01], [0.01, 0.0]])
    assert judged(slow, interval=(0.0, 1000.0), steps=64).verdict == "PASS"
    assert judged(slow, interval=(0.0, 1000.0), solver="euler", steps=64).verdict == "FAIL"


def logarithmic(z):
    """A decay to 0 from above, unknown below: coarse steps of Euler get there."""
    return -8 * z * (1 + 0.1 * torch.tanh(torch.log(z)))


def test_a_field_that_is_no_number_where_coarse_steps_take_it_fails_and_is_not_called_coupled():
    result = judged(logarithmic, few().abs() + 0.5, nn.Identity(), solver="euler", steps=4)
    assert result.verdict == "FAIL"
    assert not any("rest of its batch" in reason for reason in result.reasons)


def test_a_field_that_is_no_number_in_other_company_is_coupled():
    def field(z):
        return torch.where(torch.tensor(len(z) > FEW_TOGETHER), -z, math.nan)

    result = judged(field)
    assert result.verdict == "INCONCLUSIVE"
    assert any("rest of its batch" in reason for reason in result.reasons)


FEW_TOGETHER = 3


def test_an_error_below_zero_is_told():
    with pytest.raises(InputError, match="an error is below 0; give its absolute value"):
        judged(turning(5.0), compare=lambda one, other: (one - other)[:, 0])


def test_a_comparison_gets_states_in_their_form_and_in_one_precision():
    def compare(one, other):
        assert one.shape[1:] == other.shape[1:] == (1, 2)
        return torch.cdist(one, other).flatten()

    z0 = plane(ENOUGH).unsqueeze(1)
    result = audit(turning(40.0), z0, compare=compare, accept=1.5, **FINE, **QUICK)
    assert result.verdict == "PASS"
    with pytest.raises(InputError, match="accept is 0; give a number above 0"):
        audit(turning(40.0), z0, compare=compare, accept=0, **FINE, **QUICK)


def test_the_share_that_changes_alone_has_an_interval():
    def field(z):
        return turning(6.0)(z) * (1 + z.norm(dim=1, keepdim=True))

    result = judged(field, solver="dopri5", steps=None, tolerance=0.1)
    told = [reason for reason in result.reasons if "when samples are solved alone" in reason]
    (found,) = (
        re.match(r"(.*)% \((.*)% to (.*)%\) of 100 predictions change", one) for one in told
    )
    share, low, high = map(float, found.groups())
    assert low < share < high


@pytest.mark.filterwarnings("ignore:Functional iteration did not converge")
@pytest.mark.parametrize("solver", ["explicit_adams", "implicit_adams"])
def test_the_starting_steps_of_a_multistep_method_are_no_reason_to_doubt_it(solver):
    result = judged(lambda z: -z, solver=solver, steps=16)
    assert result.verdict == "PASS"
    assert not any("asked for" in reason for reason in result.reasons)


def test_labels_are_any_whole_numbers():
    z0 = few()
    labels = (z0[:, 0] < 0).to(torch.uint16)
    result = judged(lambda z: -z, z0, labels=labels)
    assert result.measures["labels"]["deployed"] == 1.0
    with pytest.raises(InputError, match="labels cannot be read; give a tensor of whole"):
        judged(lambda z: -z, z0, labels=["left"] * ENOUGH)


def test_a_head_that_makes_one_number_of_all_samples_is_refused():
    with pytest.raises(InputError, match=r"head returns \(\) .*; return a tensor"):
        judged(lambda z: -z, head=lambda z: z.sum())


def test_a_head_may_return_a_value_for_each_sample():
    result = judged(turning(1.0), head=lambda z: z[:, 0] + 3)
    assert result.verdict == "PASS"


def test_what_a_module_keeps_besides_plain_numbers_ends_no_audit():
    class Kept(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(-torch.eye(2, dtype=torch.bfloat16))
            self.register_buffer("graph", torch.eye(2).to_sparse())
            self.register_buffer("phases", torch.ones(2, dtype=torch.complex64))
            self.register_buffer("steady", torch.tensor(data=True))

        def forward(self, z):
            return z @ self.weight.to(z.dtype)

        def get_extra_state(self):
            return {"version": 1}

        def set_extra_state(self, state):
            pass

    assert judged(Kept()).verdict == "PASS"


def test_numbers_of_numpy_are_numbers(tmp_path):
    result = judged(turning(1.0), steps=np.int64(16), batch_size=np.int64(50))
    assert result.verdict == "PASS"
    result.save(tmp_path / "audit")
    fine = judged(turning(1.0), solver="dopri5", steps=None, tolerance=np.float32(1e-5))
    assert fine.verdict == "PASS"
