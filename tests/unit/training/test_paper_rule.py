import csv
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from defined import trained as train
from defined import training_of
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from solverproof.__main__ import main
from solverproof.control.measurement import Measurement
from solverproof.control.paper_rule import (
    UNCHANGED,
    Rule,
    checking_setting,
    difference,
)
from solverproof.datasets.spheres import spheres
from solverproof.files import columns, read_arrays, write_arrays
from solverproof.ode.initial_step import initial_step
from solverproof.ode.integration import Solution, SolverError
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.training.batches import run_seed
from solverproof.training.controllers.base import Check, Controller
from solverproof.training.controllers.probing import Probe, Probed
from solverproof.training.controllers.random_steps import RandomSteps

RULE = Rule(threshold=0.1, shrink=0.5, grow=1.1, finest=1 / 500)
EULER, MIDPOINT, RK4, FEHLBERG, DOPRI = (
    SOLVERS[n] for n in ("euler", "midpoint", "rk4", "fehlberg2", "dopri5")
)
PAPER = {
    "family": "adaptation", "test_solver": "midpoint", "threshold": 0.1, "interval": 50,
    "shrink": 0.5, "grow": 1.1, "most_steps": 500, "initial": None, "probe_every": 250,
}  # fmt: skip
PROBED = {"probe_solvers": ["euler", "rk4"]}
sizes, shares = st.floats(1 / 500, 1), st.floats(0, 1)


def test_a_violation_halves_the_step():
    assert RULE.check(0.2, 0.15) == (0.1, "shrink")


def test_agreement_makes_a_step_a_tenth_larger_be_tried():
    assert RULE.check(0.2, 0.05) == (pytest.approx(0.22), "try")


def test_a_difference_of_just_the_threshold_is_agreement():
    rule = Rule(threshold=0.25, shrink=0.5, grow=1.1, finest=0.01)
    assert rule.check(0.2, 0.25)[1] == "try"
    assert rule.check(0.2, 0.2501)[1] == "shrink"


def test_a_larger_step_is_kept_if_it_agrees_and_given_up_if_not():
    assert RULE.confirm(0.2, 0.22, 0.05) == (0.22, "grow")
    assert RULE.confirm(0.2, 0.22, 0.2) == (0.2, "keep")


def test_the_step_never_shrinks_below_that_of_500_steps():
    assert RULE.check(1 / 400, 0.4) == (1 / 500, "shrink")
    assert RULE.check(1 / 500, 0.4) == (1 / 500, "finest")


def test_the_step_never_grows_above_one():
    assert RULE.check(0.95, 0.0) == (1.0, "try")
    assert RULE.check(1.0, 0.0) == (1.0, "coarsest")
    assert RULE.check(1.0, 0.4) == (0.5, "shrink")


def measured(score):
    return Measurement(Setting.of(EULER, 8), score, 8)


def test_accuracies_differ_absolutely_and_errors_relative_to_the_smaller():
    for one, other in ((0.9, 0.75), (0.75, 0.9)):
        assert difference(measured(one), measured(other), values=False) == pytest.approx(0.15)
        assert difference(measured(one), measured(other), values=True) == pytest.approx(0.2)


def test_no_error_at_all_differs_infinitely_from_any_and_not_from_itself():
    assert difference(measured(0.0), measured(0.1), values=True) == math.inf
    assert difference(measured(0.0), measured(0.0), values=True) == 0


@pytest.mark.parametrize("values", [False, True], ids=["classes", "values"])
@pytest.mark.parametrize("scores", [(math.nan, 0.9), (0.9, math.nan), (math.nan, math.nan)])
def test_a_solver_that_gave_up_is_a_violation(values, scores):
    unknown = difference(*map(measured, scores), values=values)
    assert RULE.check(0.2, unknown)[1] == "shrink"
    assert RULE.confirm(0.2, 0.22, unknown) == (0.2, "keep")


@given(sizes, shares, shares)
def test_the_size_stays_in_bounds_and_grows_only_on_agreement(size, of_test, of_larger):
    following, decision = RULE.check(size, of_test)
    if decision == "try":
        following, decision = RULE.confirm(size, following, of_larger)
        assert (following > size) == (decision == "grow") == (of_larger <= 0.1)
    else:
        assert following <= size
        assert (decision == "coarsest") == (of_test <= 0.1)
    assert RULE.finest <= following <= RULE.coarsest


@given(sizes, shares, st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_larger_threshold_never_shrinks_where_a_smaller_one_does_not(size, apart, one, two):
    strict, lenient = (Rule(t, 0.5, 1.1, 1 / 500).check(size, apart)[0] for t in sorted((one, two)))
    assert lenient >= strict


@pytest.mark.parametrize("steps", range(1, 201))
@pytest.mark.parametrize(
    ("train_solver", "test_solver", "size"),
    [
        (EULER, MIDPOINT, lambda h: h if 1 / h > 50 else (h / 50) ** (1 / 2)),
        (EULER, RK4, lambda h: (h / 50) ** (1 / 4) if 1 / h**3 <= 50 else h),
        (MIDPOINT, RK4, lambda h: (h**2 / 50) ** (1 / 4) if 1 / h**2 <= 50 else h),
    ],
    ids=["Euler by midpoint", "Euler by rk4", "midpoint by rk4"],
)
def test_the_test_step_is_that_of_the_paper(train_solver, test_solver, size, steps):
    test = checking_setting(Setting.of(train_solver, steps), test_solver)
    wanted = 1 / size(1 / steps)
    assert test.solver == test_solver
    assert test.value == math.ceil(wanted - 1e-9 * wanted)


@given(
    st.integers(1, 500),
    st.sampled_from([(EULER, MIDPOINT), (EULER, RK4), (MIDPOINT, RK4), (SOLVERS["heun3"], RK4)]),
)
def test_the_test_step_is_the_largest_whose_error_estimate_is_fifty_times_smaller(steps, pair):
    train_solver, test_solver = pair
    found = checking_setting(Setting.of(train_solver, steps), test_solver).value
    assert found >= steps
    assert found**test_solver.order >= 50 * steps**train_solver.order
    assert found == steps or (found - 1) ** test_solver.order < 50 * steps**train_solver.order


def test_a_tolerance_is_tested_at_a_fifth_with_another_solver_and_at_a_tenth_with_the_same():
    assert checking_setting(Setting.of(FEHLBERG, 1e-3), DOPRI) == Setting.of(DOPRI, 2e-4)
    assert checking_setting(Setting.of(DOPRI, 1e-3), DOPRI) == Setting.of(DOPRI, 1e-4)


class Scripted:
    """A model whose accuracy and evaluations under a setting are given by functions of it."""

    def __init__(
        self,
        accuracy,
        nfe=lambda setting: int(1000 * setting.value) or 1,
        failing=lambda _: False,
    ):
        self.accuracy, self.nfe, self.failing, self.asked = accuracy, nfe, failing, []

    def __call__(self, _parameters, x, setting):
        self.asked.append(setting)
        right = round(self.accuracy(setting) * x.shape[1])
        logits = torch.tensor([[0.0, 1.0]] * right + [[1.0, 0.0]] * (x.shape[1] - right)).unsqueeze(
            0
        )
        if self.failing(setting):
            return SimpleNamespace(outputs=logits, solutions=[SolverError("budget", "too many", 7)])
        return SimpleNamespace(outputs=logits, solutions=[Solution(logits, self.nfe(setting), 1)])


def run(chooser, model, iterations):
    """The settings chosen in that many iterations, for a batch of 100 samples of class 1."""
    x, labels = torch.zeros(1, 100, 1, 2), torch.ones(1, 100, dtype=torch.long)
    return [
        chooser(
            SimpleNamespace(
                iteration=k,
                model=model,
                parameters={},
                x=x,
                targets=labels,
                total_nfe=[10 * (k - 1)],
            )
        )
        for k in range(1, iterations + 1)
    ]


def adapting(solver=EULER, **options):
    rule = Controller.from_json({**PAPER, "interval": 5, **options})
    return rule.schedule(solver, seed=3, stream=0)


def noted(chooser):
    """The rows of the checks as dictionaries."""
    return [vars(check) for check in chooser.checks]


def test_a_check_is_made_every_interval_and_the_step_is_the_same_in_between():
    chooser = adapting(initial=0.25)
    settings = run(chooser, Scripted(lambda _: 0.9), 20)
    assert [row["iteration"] for row in noted(chooser)] == [5, 10, 15, 20]
    assert settings[:4] == [Setting.of(EULER, 4)] * 4
    assert chooser.deployed == settings[-1]


def test_the_step_grows_until_it_is_invalid_and_is_halved_then():
    chooser = adapting(initial=0.25)
    # any step above 0.3 is useless, whatever the test solver says of it
    model = Scripted(lambda setting: 0.5 if setting.solver == EULER and setting.value <= 3 else 0.9)
    run(chooser, model, 20)
    assert [row["steps"] for row in noted(chooser)] == [4, 4, 4, 4]
    assert [row["decision"] for row in noted(chooser)] == [
        "grow",
        "grow",
        "grow",
        "keep",
    ]  # 0.366 would be 3 steps
    model.accuracy = lambda setting: 0.5 if setting.solver == EULER else 0.9
    before = chooser.adaptation.size
    run(chooser, model, 5)
    assert noted(chooser)[-1]["decision"] == "shrink"
    assert chooser.adaptation.size == before / 2


def test_a_check_records_both_accuracies_and_what_it_tried():
    chooser = adapting(initial=0.1)
    accuracies = {("euler", 10): 0.9, ("midpoint", 23): 0.85}
    model = Scripted(lambda s: accuracies.get((s.solver.name, s.value), 0.6))
    run(chooser, model, 5)
    (row,) = noted(chooser)
    assert list(row) == columns(Check)
    assert (row["seed"], row["iteration"], row["step_size"], row["steps"], row["tolerance"]) == (
        3,
        5,
        0.1,
        10,
        None,
    )
    assert (row["test_solver"], row["test_steps"]) == ("midpoint", 23)
    assert (row["train_score"], row["test_score"]) == (
        pytest.approx(0.9),
        pytest.approx(0.85),
    )
    assert (row["larger_score"], row["decision"]) == (
        pytest.approx(0.9),
        "grow",
    )  # 1 / 0.11 are 10 steps again
    assert chooser.adaptation.size == pytest.approx(0.11)


def test_monitoring_counts_every_evaluation_of_the_checks_apart_from_those_of_training():
    chooser = adapting(initial=0.1)
    model = Scripted(lambda _: 0.9, nfe=lambda s: s.value * s.solver.stages)
    run(chooser, model, 10)
    # 0.11 is 10 steps again, which are not solved twice; 0.121 is 9
    solves = [model.asked[:2], model.asked[2:]]
    assert [[s.value for s in asked] for asked in solves] == [[10, 23], [10, 23, 9]]
    per_check = [sum(s.value * s.solver.stages for s in asked) for asked in solves]
    assert [row["monitoring_nfe"] for row in noted(chooser)] == [per_check[0], sum(per_check)]
    assert [row["total_nfe"] for row in noted(chooser)] == [40, 90]


def test_at_the_cap_it_warns_and_goes_on_with_the_finest_step():
    chooser = adapting(initial=1 / 16, most_steps=20)
    model = Scripted(lambda s: 0.9 if s.solver == MIDPOINT else 0.1)
    run(chooser, model, 5)
    assert (chooser.deployed.value, noted(chooser)[-1]["decision"]) == (20, "shrink")
    with pytest.warns(UserWarning, match="steps-20"):
        run(chooser, model, 5)
    assert (chooser.deployed.value, noted(chooser)[-1]["decision"]) == (20, "finest")


@pytest.mark.parametrize(("initial", "steps"), [(1e-6, 500), (1.0, 1), (0.3, 4)])
def test_a_given_first_step_is_kept_within_bounds(initial, steps):
    assert run(adapting(initial=initial), Scripted(lambda _: 0.9), 1) == [Setting.of(EULER, steps)]


def test_a_solver_that_gives_up_makes_the_tolerance_shrink():
    chooser = adapting(FEHLBERG, test_solver="dopri5", initial=1e-3)
    run(chooser, Scripted(lambda _: 0.9, failing=lambda s: s.solver == FEHLBERG), 5)
    assert noted(chooser)[-1]["decision"] == "shrink"
    assert math.isnan(noted(chooser)[-1]["train_score"])
    assert chooser.deployed == Setting.of(FEHLBERG, 5e-4)


def test_a_tolerance_starts_at_a_millionth_and_never_falls_below_what_float32_resolves():
    chooser = adapting(FEHLBERG, test_solver="dopri5")
    assert run(chooser, Scripted(lambda _: 0.9), 1) == [Setting.of(FEHLBERG, 1e-6)]
    with pytest.warns(UserWarning, match="finest"):
        run(chooser, Scripted(lambda s: 0.9 if s.solver == DOPRI else 0.1), 30)
    assert chooser.adaptation.size == 1e-7


def on_a_plateau(edge, wide=20, narrow=14):
    """Evaluations that are the same for all tolerances below an edge, and fewer above it."""
    return lambda setting: narrow if setting.value > edge else wide


def test_a_tolerance_that_has_no_effect_on_the_evaluations_is_not_raised_any_more():
    chooser = adapting(FEHLBERG, test_solver="dopri5", initial=1e-3)
    run(chooser, Scripted(lambda _: 0.9, nfe=lambda _: 14), 5 * (UNCHANGED + 3))
    decisions = [row["decision"] for row in noted(chooser)]
    assert decisions == ["grow"] * (UNCHANGED - 1) + ["unchanged"] * 4
    assert chooser.adaptation.size == pytest.approx(1e-3 * 1.1 ** (UNCHANGED - 1))


def test_a_tolerance_leaves_a_plateau_of_equal_evaluations_once_a_larger_one_takes_fewer():
    chooser = adapting(DOPRI, test_solver="dopri5", initial=1.1e-6)
    model = Scripted(lambda _: 0.9, nfe=on_a_plateau(2.6e-6))
    run(chooser, model, 5 * 20)
    decisions = [row["decision"] for row in noted(chooser)]
    assert decisions[: UNCHANGED - 1] == ["grow"] * (UNCHANGED - 1)
    stayed = decisions.index("unchanged")
    left = decisions.index("grow", stayed)
    assert set(decisions[stayed:left]) == {"unchanged"}
    # while nothing changes the tolerance stays, and each try reaches one factor further
    assert chooser.checks[left].tolerance == pytest.approx(1.1e-6 * 1.1 ** (UNCHANGED - 1))
    assert chooser.checks[left + 1].tolerance > 2.6e-6
    assert chooser.checks[left + 1].tolerance <= 2.6e-6 * 1.1


def test_a_larger_tolerance_that_takes_fewer_evaluations_and_is_invalid_is_not_taken():
    chooser = adapting(DOPRI, test_solver="dopri5", initial=1e-6)
    accuracy = lambda s: 0.5 if s.value > 2.6e-6 else 0.9  # noqa: E731
    run(chooser, Scripted(accuracy, nfe=on_a_plateau(2.6e-6)), 5 * 30)
    assert "keep" in {row["decision"] for row in noted(chooser)}
    assert chooser.adaptation.size < 2.6e-6


def test_tries_never_reach_beyond_the_first_tolerance_that_was_refused():
    chooser = adapting(DOPRI, test_solver="dopri5", initial=1e-6)
    accuracy = lambda s: 0.5 if s.value > 2.6e-6 else 0.9  # noqa: E731
    model = Scripted(accuracy, nfe=on_a_plateau(2.6e-6))
    run(chooser, model, 5 * 60)
    assert max(setting.value for setting in model.asked) <= 2.6e-6 * 1.1


def test_a_try_on_a_plateau_is_one_solve_like_any_other():
    chooser = adapting(FEHLBERG, test_solver="dopri5", initial=1e-3)
    model = Scripted(lambda _: 0.9, nfe=lambda _: 14)
    run(chooser, model, 5 * (UNCHANGED + 3))
    assert len(model.asked) == 3 * (UNCHANGED + 3)


def test_read_literally_a_tolerance_is_not_raised_while_training_takes_equally_many_evaluations():
    chooser = adapting(FEHLBERG, test_solver="dopri5", initial=1e-3, plateau="wait")
    model = Scripted(lambda _: 0.9, nfe=on_a_plateau(2e-3))
    run(chooser, model, 10)  # of 10 evaluations in every iteration
    # after four iterations there are not five to compare yet
    assert [row["decision"] for row in noted(chooser)] == ["grow", "unchanged"]
    assert math.isnan(noted(chooser)[-1]["larger_score"])
    assert chooser.adaptation.size == pytest.approx(1.1e-3)


def test_a_step_that_is_the_same_number_of_steps_is_tried_without_a_solve():
    chooser = adapting(initial=0.25)
    model = Scripted(lambda _: 0.9, nfe=lambda s: s.value * s.solver.stages)
    run(chooser, model, 5)
    assert [setting.solver for setting in model.asked] == [EULER, MIDPOINT]  # 0.275 is 4 steps
    (row,) = noted(chooser)
    assert (row["decision"], row["larger_score"]) == ("grow", pytest.approx(0.9))
    assert row["monitoring_nfe"] == sum(s.value * s.solver.stages for s in model.asked)
    assert chooser.adaptation.size == pytest.approx(0.275)


def test_a_test_solver_that_is_the_training_solver_is_tightened_until_it_works_harder():
    chooser = adapting(DOPRI, test_solver="dopri5", initial=1e-2)
    run(chooser, Scripted(lambda _: 0.9, nfe=lambda s: 14 if s.value > 1e-5 else 20), 5)
    assert noted(chooser)[-1]["test_tolerance"] == 1e-5


def test_a_test_solver_that_never_works_harder_is_not_tightened_for_ever():
    chooser, model = (
        adapting(DOPRI, test_solver="dopri5", initial=0.1),
        Scripted(lambda _: 0.9, nfe=lambda _: 14),
    )
    run(chooser, model, 5)
    assert noted(chooser)[-1]["test_tolerance"] == 1e-8
    assert chooser.monitoring_nfe == 14 * (1 + 7 + 1)


def controller(spec):
    """The schedule of a controlled training, given as JSON."""
    made = training_of(spec)
    (seed,) = made.seeds
    return made.controller.schedule(
        made.solver, seed=seed, stream=run_seed(made.task, seed, "controller")
    )


def spec_of(options, solver="euler", iterations=20):
    return {
        "task": "toy",
        "name": "chosen",
        "model": {"network": {"family": "conv", "channels": 6}, "outputs": 2, "horizon": 1.0},
        "data": {"family": "spheres", "dimension": 2, "train": 60, "test": 20, "seed": 0},
        "protocol": {
            "iterations": iterations, "batch": 16, "learning_rate": 0.01,
            "gradient": "backpropagation", "history_every": 1,
        },
        "seeds": [4],
        "device": "cpu",
        "solver": solver,
        "controller": options if options["family"] == "random" else {**PROBED, **options},
    }  # fmt: skip


@pytest.fixture
def data():
    return spheres(dimension=2, train=60, test=20, seed=0)


@pytest.mark.parametrize("horizon", [1.0, 0.25])
def test_the_first_step_is_hairer_s_on_the_first_batch(horizon, data):
    spec, seen = spec_of(PAPER), []
    spec["model"]["horizon"] = horizon
    chooser = controller(spec)

    def watched(batch):
        setting = chooser(batch)
        if batch.iteration == 1:
            with torch.no_grad():
                field, state = (
                    batch.model.vector_field(batch.parameters),
                    batch.model.field.pack(batch.x),
                )
                seen.append((setting, initial_step(field, state, 1)[0]))
        return setting

    train(spec, data, watched)
    ((setting, step),) = seen
    assert 1 < setting.steps < 500
    assert setting.steps == math.ceil(horizon / step - 1e-9)
    assert chooser.monitoring_nfe == 2


def test_checks_and_probes_change_no_bit_of_training(data):
    quiet, busy = (
        {**PAPER, "initial": 0.25, "interval": n, "threshold": 1.0, "grow": 1 + 1e-12}
        for n in (100, 3)
    )
    spec = spec_of(quiet)
    first = train(spec, data, controller(spec))
    other = spec_of({**busy, "probe_every": 5})
    probing = Probed(controller(other), training_of(other), data)
    second = train(other, data, probing)
    assert all(torch.equal(p, second.parameters[name]) for name, p in first.parameters.items())
    assert [row.iteration for row in probing.rows] == [k for k in (5, 10, 15, 20) for _ in range(3)]


def test_probes_measure_the_deployed_setting_a_finer_one_and_the_other_solvers_on_the_test_set(
    data,
):
    spec = spec_of({**PAPER, "initial": 0.25, "interval": 100, "probe_every": 20})
    probing = Probed(controller(spec), training_of(spec), data)
    train(spec, data, probing)
    rows = [vars(row) for row in probing.rows]
    assert all(list(row) == columns(Probe) for row in rows)
    found = [(row["role"], row["test_solver"], row["test_steps"], row["nfe"]) for row in rows]
    assert found == [("deployed", "euler", 4, 4), ("finer", "euler", 8, 8), ("finer", "rk4", 4, 16)]
    assert all((20 * row["accuracy"]) % 1 == pytest.approx(0, abs=1e-9) for row in rows)


def test_random_steps_are_uniform_in_their_logarithm_over_the_whole_range():
    chooser = RandomSteps(steps=(4, 32), probe_every=1).schedule(EULER, seed=0, stream=0)
    drawn = [chooser(None).steps for _ in range(20_000)]
    assert (min(drawn), max(drawn)) == (4, 32)
    ends = np.log([*range(4, 34)])
    expected = np.diff(ends) / (ends[-1] - ends[0]) * len(drawn)
    assert stats.chisquare(np.bincount(drawn, minlength=33)[4:], expected).pvalue > 1e-3


def test_draws_of_two_points_are_of_either_end_half_the_times():
    rule = RandomSteps(steps=(4, 32), draw="two_point", probe_every=1)
    chooser = rule.schedule(EULER, seed=0, stream=0)
    drawn = [chooser(None).steps for _ in range(4000)]
    assert set(drawn) == {4, 32}
    assert stats.binomtest(drawn.count(4), len(drawn)).pvalue > 1e-3


def test_annealed_draws_end_with_the_most_steps_as_which_the_model_is_deployed():
    rule = RandomSteps(steps=(4, 32), anneal=600, probe_every=1)
    chooser = rule.schedule(EULER, seed=0, stream=0)
    drawn, fewest = [], []
    for iteration in range(1, 901):
        drawn.append(chooser(SimpleNamespace(iteration=iteration)).steps)
        fewest.append(chooser.deployed.steps)
    assert fewest == sorted(fewest)
    assert (fewest[0], fewest[300], fewest[599]) == (4, 11, 32)  # half way in the logarithm: 11.3
    assert all(least <= steps <= 32 for least, steps in zip(fewest, drawn, strict=True))
    assert min(drawn[:100]) < 6 < max(drawn[:100])
    assert set(drawn[600:]) == {32}


def test_annealed_draws_go_on_from_a_checkpoint():
    rule = RandomSteps(steps=(4, 32), anneal=600, probe_every=1)
    one, other = (rule.schedule(EULER, seed=0, stream=stream) for stream in (0, 1))
    for iteration in range(1, 300):
        one(SimpleNamespace(iteration=iteration))
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert other.deployed.steps == one.deployed.steps > 4
    for iteration in range(300, 400):
        batch = SimpleNamespace(iteration=iteration)
        assert one(batch) == other(batch)


def test_random_steps_follow_the_seed_and_are_deployed_with_the_fewest(data):
    options = {"family": "random", "steps": [2, 6], "probe_every": 100}
    histories = []
    for seed in (4, 4, 5):
        spec = {**spec_of(options), "seeds": [seed]}
        chooser = controller(spec)
        histories.append([row["steps"] for row in train(spec, data, chooser).history])
        assert chooser.deployed == Setting.of(EULER, 2)
        assert chooser.checks == []
    assert histories[0] == histories[1] != histories[2]
    assert set(histories[0]) <= {2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    ("solver", "options"),
    [
        ("euler", {**PAPER, "interval": 4, "probe_every": 10}),
        (
            "fehlberg2",
            {**PAPER, "test_solver": "dopri5", "interval": 4, "probe_every": 10, "initial": 0.1},
        ),
        ("euler", {"family": "random", "steps": [2, 4], "probe_every": 10}),
    ],
    ids=["step", "tolerance", "random"],
)
def test_the_command_line_writes_all_that_a_controlled_run_is(solver, options, data, tmp_path):
    spec = spec_of(options, solver)
    if options["family"] == "adaptation":
        spec["controller"]["probe_solvers"] = [solver]
    write_arrays(tmp_path / "data.safetensors", data)
    files = {name: tmp_path / f"{name}.csv" for name in ("history", "checks", "probes")}
    files |= {"weights": tmp_path / "weights.safetensors", "run": tmp_path / "run.json"}
    arguments = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    data_arguments = [
        "--data",
        str(tmp_path / "data.safetensors"),
        "--checkpoint",
        str(tmp_path / "checkpoint"),
    ]
    assert main(["adapt", "--spec", json.dumps(spec), *data_arguments, *arguments]) == 0
    run = json.loads(files["run"].read_text(encoding="utf-8"))
    assert run["spec"] == training_of(spec).to_json()
    assert run["failures"] == {}
    assert run["setting"]["solver"] == solver
    assert read_arrays(files["weights"])["head.bias"].shape == (1, 2)
    texts = {
        name: files[name].read_text(encoding="utf-8") for name in ("history", "checks", "probes")
    }
    rows = {name: list(csv.DictReader(text.splitlines())) for name, text in texts.items()}
    assert len(rows["history"]) == 20
    assert run["mean_nfe"]["4"] == sum(int(row["nfe"]) for row in rows["history"]) / 20
    assert len(rows["checks"]) == (0 if options["family"] == "random" else 5)
    assert len(rows["probes"]) == 4
