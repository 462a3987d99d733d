"""The audit on models whose answer is known."""

import copy
import math
from operator import itemgetter

import pytest
import torch
from torch import nn

from solverproof.api import audit
from solverproof.auditing.measures import relative_error
from solverproof.errors import InputError

SAMPLES = 800
QUICK = {"candidates": [], "progress": False}


def plane(samples=SAMPLES, seed=0, dtype=torch.float32):
    """Points of the plane in evenly spread directions, mixed, and not too near the origin."""
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * (torch.randperm(samples, generator=generator) + 0.5).double() / samples
    radius = 0.5 + torch.rand(samples, generator=generator, dtype=torch.float64)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1).to(dtype)


def sides(bias=0.0):
    """A head that tells on which side of the line x = bias a point is."""
    head = nn.Linear(2, 2)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
        head.bias.copy_(torch.tensor([-bias, bias]))
    return head


def linear(matrix):
    matrix = torch.tensor(matrix, dtype=torch.float64)
    return lambda z: z @ matrix.T.to(z.dtype)


def turning(rate):
    return linear([[0.0, -rate], [rate, 0.0]])


def answer(field, z0=None, head=None, **call):
    result = audit(field, plane() if z0 is None else z0, head=head or sides(), **{**QUICK, **call})
    return result.verdict, result.kind


def test_slow_decay_is_an_ode_with_two_steps_of_euler():
    assert answer(linear([[-1.0, 0.0], [0.0, -1.0]]), solver="euler", steps=2) == ("PASS", "ode")


def test_one_step_of_euler_that_ends_in_the_origin_predicts_nothing():
    field = linear([[-1.0, 0.0], [0.0, -1.0]])
    assert answer(field, solver="euler", steps=1) == ("FAIL", "solver-bound")


@pytest.mark.parametrize(("steps", "verdict"), [(11, "FAIL"), (10, "PASS"), (100, "PASS")])
def test_unstable_steps_of_stiff_decay_change_signs_when_they_are_odd(steps, verdict):
    field = linear([[-50.0, 0.0], [0.0, -50.0]])
    assert answer(field, solver="euler", steps=steps)[0] == verdict


@pytest.mark.parametrize("steps", [8, 16, 64])
def test_the_disagreement_of_a_rotation_is_eulers_phase_error(steps):
    rate = 2.0
    result = audit(turning(rate), plane(4000), solver="euler", steps=steps, head=sides(), **QUICK)
    lag = rate - steps * math.atan(rate / steps)
    low, high = result.disagreement_interval
    assert low <= lag / math.pi <= high
    assert result.verdict == ("FAIL" if lag / math.pi > 0.02 else result.verdict)


def test_steps_that_see_an_oscillation_always_at_its_crest_are_told():
    def field(t, z):
        return torch.cos(16 * math.pi * t) * torch.tensor([8.0, 0.0]).to(z) + 0 * z

    assert answer(field, solver="euler", steps=8) == ("FAIL", "solver-bound")
    assert answer(field, solver="euler", steps=2048) == ("PASS", "ode")


def test_one_step_that_flips_all_signs_is_a_resnet():
    result = audit(linear([[-2.0, 0.0], [0.0, -2.0]]), plane(), solver="euler", steps=1,
                   head=sides(), **QUICK)  # fmt: skip
    assert (result.verdict, result.kind, result.disagreement) == ("FAIL", "solver-bound", 1.0)


def test_a_field_of_zeros_is_an_ode_with_any_solver():
    result = audit(lambda z: 0 * z, plane(), solver="dopri5", tolerance=1e-3, head=sides(),
                   progress=False)  # fmt: skip
    assert (result.verdict, result.kind) == ("PASS", "ode")
    assert (result.advice.solver, result.advice.steps) == ("euler", 1)


def test_a_flow_that_blows_up_is_never_passed():
    result = audit(lambda z: z**3, plane(), solver="rk4", steps=8, head=sides(), **QUICK)
    assert (result.verdict, result.kind) == ("INCONCLUSIVE", "unresolved")
    assert math.isnan(result.disagreement)
    assert "not resolved" in result.reasons[0]


def test_a_field_that_mixes_its_batch_has_no_flow_of_a_sample():
    result = audit(lambda z: z - z.mean(0), plane(), solver="rk4", steps=8, head=sides(), **QUICK)
    assert (result.verdict, result.kind) == ("INCONCLUSIVE", "unresolved")
    assert "rest of its batch" in result.reasons[0]


def test_directions_that_grow_and_do_not_matter_do_not_fail_a_model():
    field = linear([[-1.0, 0.0], [0.0, 12.0]])
    result = audit(field, plane(), solver="euler", steps=16, head=sides(), **QUICK)
    assert (result.verdict, result.kind) == ("PASS", "ode")
    assert result.measures["growth"]["integral"]["median"] == pytest.approx(12, rel=0.01)


def test_growth_without_stiffness_is_named_as_the_cause_of_errors():
    result = audit(linear([[6.0, 0.0], [0.0, 6.0]]), plane(), solver="euler", steps=64,
                   head=sides(bias=100.0), **QUICK)  # fmt: skip
    assert result.verdict == "FAIL"
    assert any("grow" in reason for reason in result.reasons)


@pytest.mark.slow
def test_kinks_leave_a_fine_solver_faithful():
    def field(z):
        return torch.stack([z[:, 1].abs() - 0.5, -z[:, 0].relu()], 1)

    result = audit(field, plane(), solver="rk4", steps=32, head=sides(), **QUICK)
    assert (result.verdict, result.kind) == ("PASS", "ode")
    # whatever the method, a kink leaves an error of second order
    assert 1.5 < result.measures["order"]["observed"] < 2.5


def test_too_few_samples_decide_nothing():
    verdict, kind = answer(turning(1.0), plane(50), solver="rk4", steps=32)
    assert (verdict, kind) == ("INCONCLUSIVE", "unresolved")


@pytest.mark.parametrize("interval", [(0.0, 1.0), (1.0, 0.0), (-2.0, 3.0), (5.0, 4.5)])
def test_time_may_run_from_anywhere_to_anywhere(interval):
    first, last = interval
    z0 = plane(dtype=torch.float64)
    result = audit(lambda t, z: torch.cos(t) * torch.ones_like(z), z0, solver="rk4", steps=64,
                   interval=interval, accept=1e-3, **QUICK)  # fmt: skip
    assert (result.verdict, result.kind) == ("PASS", "ode")
    exact = z0 + math.sin(last) - math.sin(first)
    off = result.per_sample["error_absolute"]
    assert off.max() < 1e-4
    fine = audit(lambda t, z: torch.cos(t) * torch.ones_like(z), z0, solver="euler", steps=4,
                 interval=interval, accept=1e-3, **QUICK)  # fmt: skip
    times = torch.linspace(first, last, 5, dtype=torch.float32).double()
    coarse = z0 + ((times[1:] - times[:-1]) * times[:-1].cos()).sum()
    wanted = (coarse - exact).norm(dim=1).numpy()
    assert fine.per_sample["error_absolute"] == pytest.approx(wanted, rel=1e-3, abs=1e-6)


def test_a_state_may_be_a_tuple_as_in_a_normalizing_flow():
    def field(_, state):
        z, _ = state
        return -z, torch.full((len(z), 1), 2.0).to(z)

    z0 = (plane(), torch.zeros(SAMPLES, 1))
    result = audit(field, z0, solver="dopri5", tolerance=1e-5, accept=1e-3, **QUICK)
    assert (result.verdict, result.kind) == ("PASS", "ode")
    assert answer(field, z0, itemgetter(1), solver="euler", steps=1) == (
        "PASS",
        "ode",
    )  # a constant rate


@pytest.mark.parametrize("rate", [0.0, 1e6])
def test_a_large_part_of_a_state_does_not_hide_what_is_made_of_another(rate):
    def field(_, state):
        z, _ = state
        return turning(2.0)(z), torch.full((len(z), 1), rate).to(z)

    z0 = (plane(), torch.zeros(SAMPLES, 1))
    for steps, verdict in ((4, "FAIL"), (64, "PASS")):
        result = audit(field, z0, solver="midpoint", steps=steps, accept=1e-2, **QUICK)
        assert result.verdict == verdict


def test_a_model_trained_coarsely_and_deployed_finely_is_faithful_and_solver_bound():
    field, coarse = linear([[-2.0, 0.0], [0.0, -2.0]]), {"solver": "euler", "steps": 1}
    call = {"solver": "rk4", "steps": 16, "trained": coarse}
    result = audit(field, plane(), head=sides(), **call, **QUICK)
    assert (result.verdict, result.kind) == ("PASS", "solver-bound")
    assert any(reason.startswith("As trained, with euler") for reason in result.reasons)


def test_a_field_trained_without_a_solver_is_an_ode_however_coarsely_it_is_deployed():
    field, call = linear([[-2.0, 0.0], [0.0, -2.0]]), {"solver": "euler", "steps": 1}
    result = audit(field, plane(), head=sides(), trained="flow", **call, **QUICK)
    assert (result.verdict, result.kind, result.trained) == ("FAIL", "ode", "flow")
    assert any("without a solver" in reason for reason in result.reasons)
    fine = audit(field, plane(), head=sides(), trained="flow", solver="rk4", steps=16, **QUICK)
    assert (fine.verdict, fine.kind) == ("PASS", "ode")
    lost = audit(lambda z: z**3, plane(), head=sides(), trained="flow", **call, **QUICK)
    assert (lost.verdict, lost.kind) == ("INCONCLUSIVE", "unresolved")


def test_what_was_audited_where_and_when_is_kept_as_the_card_says_it(tmp_path):
    result = audit(DECAY, plane(), head=sides(), solver="rk4", steps=16, **QUICK)
    made = result.provenance
    assert made["versions"].keys() >= {"solverproof", "python", "torch", "torchdiffeq"}
    head = sides()
    of_a_method = audit(DECAY, plane(), head=head.forward, solver="rk4", steps=16, **QUICK)
    assert of_a_method.provenance["sha256"] == made["sha256"]
    assert made["sha256"]["field"] is None
    assert made["started"] <= made["finished"]
    result.save(tmp_path)
    signed = f"Solverproof {made['versions']['solverproof']}, {made['finished'][:10]}"
    assert signed in (tmp_path / "card.md").read_text(encoding="utf-8")


def test_the_error_of_an_output_is_relative_to_the_reference_and_infinite_where_it_is_no_number():
    reference = torch.tensor([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0]])
    outputs = torch.tensor([[3.0, 4.5], [0.0, 0.2], [math.nan, 0.0]])
    found = relative_error(outputs, reference)
    torch.testing.assert_close(found, torch.tensor([0.1, 0.2, math.inf]).double())


def test_steps_are_refined_for_the_order_no_further_than_errors_can_be_told():
    tried = {}
    for solver in ("euler", "rk4"):
        result = audit(turning(3.0), plane(400), solver=solver, steps=16, head=sides(), **QUICK)
        tried[solver] = result.measures["order"]["all_step_sizes"]
    assert tried["euler"] == [1 / 2**k for k in range(11)]
    assert tried["rk4"] == tried["euler"][: len(tried["rk4"])]
    assert len(tried["rk4"]) < len(tried["euler"])


def test_labels_tell_what_the_deployed_setting_costs_or_gains():
    z0 = plane()
    labels = (z0[:, 0] < 0).long()
    flips = {"solver": "euler", "steps": 1}
    result = audit(
        linear([[-2.0, 0.0], [0.0, -2.0]]), z0, head=sides(), labels=labels, **flips, **QUICK
    )
    accuracy = result.measures["labels"]
    assert (accuracy["deployed"], accuracy["reference"], accuracy["change"]) == (0.0, 1.0, -1.0)
    assert any("0.0 % as deployed and 100.0 % as an ODE" in reason for reason in result.reasons)


def test_a_field_that_knows_only_float32_is_audited_in_its_precision():
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
    result = audit(lambda _, z: net(z), plane(), solver="rk4", steps=16, head=sides(), **QUICK)
    assert result.verdict == "PASS"
    assert result.measures["reference"]["float64"] is False


@pytest.mark.slow
def test_a_pulse_that_adaptive_solvers_step_over_is_not_passed():
    def field(t, z):
        return 400 * torch.exp(-(((t - 0.5) / 1e-3) ** 2)) * torch.tensor([8.0, 0.0]).to(z) + 0 * z

    assert answer(field, solver="dopri5", tolerance=1e-2)[0] != "PASS"


def test_nothing_of_the_model_is_changed():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 2))
    net.train()
    z0, head = plane(), sides()
    kept, before = z0.clone(), copy.deepcopy(net.state_dict())
    state = torch.get_rng_state()
    audit(net, z0, solver="dopri5", tolerance=1e-2, head=head, **QUICK)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(z0, kept)


DECAY = linear([[-1.0, 0.0], [0.0, -1.0]])


def drawing(z):
    return z + torch.randn_like(z)


def three(a, b, c):
    return a + b + c


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, z):
        self.calls += 1
        return -z * (self.calls > 5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"solver": "rk5", "steps": 4}, "unknown solver 'rk5'; did you mean 'rk4'?"),
        ({"solver": "dopri", "steps": 4}, "did you mean 'dopri8' or 'dopri5'?"),
        ({"solver": "rk4"}, "rk4 is of kind 'fixed'; give it steps alone"),
        ({"solver": "rk4", "steps": 4, "tolerance": 0.1}, "give it steps alone"),
        ({"solver": "dopri5", "steps": 4}, "dopri5 is of kind 'adaptive'; give it tolerance alone"),
        ({"solver": "dopri5", "tolerance": 0.1, "atol": -1}, "atol of dopri5 is -1; give a"),
        ({"solver": "dopri5", "tolerance": 0.1, "atol": "1e-9"}, "atol '1e-9' is no number; give"),
        ({"solver": "dopri5", "tolerance": 10**400}, "tolerance of dopri5 is 1000"),
        ({"solver": "rk4", "steps": 2.5}, "give a whole number above 0"),
        ({"solver": "rk4", "steps": 0}, "give a whole number above 0"),
        ({"solver": "rk4", "steps": True}, "True is no number"),
        ({"z0": torch.zeros(0, 2)}, "z0 has shape (0, 2)"),
        ({"z0": torch.full((3, 2), math.nan)}, "z0 has values that are not finite"),
        ({"z0": torch.zeros(3, 2, dtype=torch.long)}, "z0 has dtype torch.int64"),
        ({"z0": [1.0, 2.0]}, "give a tensor (samples, ...)"),
        ({"labels": torch.zeros(3, dtype=torch.long)}, "give one for each of 800 samples"),
        ({"labels": torch.zeros(SAMPLES)}, "give whole numbers"),
        ({"field": lambda z: z[:, :1]}, "it must keep their form"),
        ({"field": lambda z: z.double()}, "it must keep their form"),
        ({"field": lambda _: None}, "it must keep their form"),
        ({"field": drawing}, "take randomness out of it"),
        ({"field": Counting()}, "gave other end states the second time"),
        ({"field": three}, "field takes 3 arguments"),
        ({"field": lambda z: z @ z}, "field: RuntimeError: "),
        ({"interval": (1.0, 1.0)}, "give two finite times that differ"),
        ({"interval": 3}, "give two times"),
        ({"accept": 0}, "accept is 0; give a number between 0 and 1"),
        ({"confidence": 95}, "confidence is 95"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"candidates": "rk4"}, "candidates are no list"),
        ({"candidates": [{"solver": "rk4", "step": 3}]}, "candidates[0] is"),
        ({"trained": {"solver": "dopri5", "steps": 3}}, "trained: dopri5 is of kind 'adaptive'"),
        ({"trained": "euler"}, "trained is 'euler'; give \"flow\", or a setting as a mapping"),
    ],
)  # fmt: skip
def test_what_cannot_be_audited_is_refused_in_one_line(given, message):
    call = {"field": DECAY, "z0": plane(), "head": sides(), **QUICK, **given}
    if "solver" not in given:
        call |= {"solver": "rk4", "steps": 4}
    with pytest.raises(InputError) as caught:
        audit(call.pop("field"), call.pop("z0"), **call)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_default_candidates_stop_where_a_solver_is_safe_and_the_cheapest_is_advised():
    result = audit(turning(3.0), plane(1000), solver="dopri5", tolerance=1e-6, head=sides(),
                   progress=False)  # fmt: skip
    table = result.settings
    own = table.loc[table["deployed"], "nfe"].item()
    for _, rows in table[~table["deployed"]].groupby("solver"):
        assert (rows["nfe"] > own).sum() <= 1
        # none after one that cannot be safer, in either half of the samples
        in_order = rows.sort_values(["steps", "tolerance"], ascending=[True, False])
        assert (in_order["disagreement"].to_numpy()[:-1] > 0).all()
    # one of the safe ones, and confirmed by the half of the samples that did not choose it
    assert result.advice.nfe in set(table.loc[table["safe"], "nfe"])
    assert result.advice.nfe < table.loc[table["deployed"], "nfe"].item()
    assert "odeint(lambda t, z: field(z), z0, torch." in result.advice.call
    states = eval(  # noqa: S307  the line is what a user would paste
        result.advice.call, {"torch": torch, "odeint": __import__("torchdiffeq").odeint,
                             "field": turning(3.0), "z0": plane(1000)},
    )  # fmt: skip
    again = audit(turning(3.0), plane(1000), head=sides(), solver=result.advice.solver,
                  steps=result.advice.steps, tolerance=result.advice.tolerance,
                  **QUICK)  # fmt: skip
    assert again.verdict == "PASS"
    assert states.shape == (1000, 2)
