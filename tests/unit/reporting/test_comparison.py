import csv

import pytest
from defined import written_table

from solverproof.evaluation.rows import Evaluation
from solverproof.files import write_json
from solverproof.reporting.comparison import compare
from solverproof.reporting.specifications import TablesSpec
from solverproof.reporting.tables import tabulate
from solverproof.training.controllers.base import Check

EVALUATION = [
    "task", "train_solver", "train_steps", "train_tolerance", "controller", "adapted", "seed",
    "test_solver", "test_steps", "test_tolerance", "accuracy", "loss", "nfe", "status", "reason",
]  # fmt: skip

PAPER = {
    "test_solver": "midpoint", "threshold": 0.1, "interval": 50, "shrink": 0.5, "grow": 1.1,
    "most_steps": 500, "probe_every": 250,
}  # fmt: skip

TRAINING = {
    "task": "sphere2",
    "data": {"family": "digits", "test": 10, "seed": 0},
    "model": {"network": {"family": "conv", "channels": 1}, "outputs": 10},
    "protocol": {"iterations": 200, "batch": 1, "learning_rate": 0.1, "history_every": 1},
    "seeds": [0, 1],
}


def evaluations(steps, seed, accuracies, controller=None):
    """Rows of one run of Euler: accuracy at its own step and at half of it."""
    return [
        dict(
            zip(
                EVALUATION,
                ("sphere2", "euler", steps, None, controller, controller is not None, seed,
                 "euler", n, None, accuracy, 0.5, n, "ok", None),
                strict=True,
            )
        )
        for n, accuracy in zip((steps, 2 * steps), accuracies, strict=True)
    ]  # fmt: skip


def adaptive(tolerance, seed, accuracy):
    """The row of one run of Dopri 5."""
    values = ("sphere2", "dopri5", None, tolerance, None, False, seed, "dopri5", 3, tolerance)
    return dict(zip(EVALUATION, (*values, accuracy, 0.5, 18, "ok", None), strict=True))


def check(iteration, step_size, decision, monitoring_nfe):
    return {
        "iteration": iteration,
        "step_size": step_size,
        "decision": decision,
        "monitoring_nfe": monitoring_nfe,
        "total_nfe": 6 * iteration,
    }


@pytest.fixture
def compared(tmp_path):
    """The comparison of a grid of three settings with adapted and random runs, two seeds each."""
    cells = {
        "grid": [
            row
            for seed in (0, 1)
            for steps, drop in ((4, 0.5), (8, 0.0625), (16, 0.0))
            for row in evaluations(steps, seed, (0.9375, 0.9375 - drop))
        ],
        "adapted": [
            *evaluations(10, 0, (1.0, 0.75), "adapt"),
            *evaluations(12, 1, (0.5, 0.5), "adapt"),
        ],
        "random": [row for seed in (0, 1) for row in evaluations(4, seed, (0.75, 0.75), "random")],
        "adaptive": [adaptive(t, seed, 1 - t) for t in (0.01, 0.1) for seed in (0, 1)],
    }
    for name, rows in cells.items():
        written_table(tmp_path / f"{name}.csv", Evaluation, rows)
    tables = tmp_path / "tables"
    tabulate(TablesSpec(0.1, 0.1, {}), [tmp_path / f"{name}.csv" for name in cells], tables)
    checks = [check(50, 0.5, "grow", 100), check(100, 0.25, "shrink", 200)]
    checks += [check(150, 0.125, "shrink", 300), check(200, 0.5, "finest", 400)]
    runs, paths = [], []
    for method, family, options, rows in (
        ("adapt", "adaptation", PAPER, checks),
        ("random", "random", {"steps": [2, 4], "probe_every": 10}, []),
    ):
        for seed in (0, 1):
            controller = {"family": family, **options}
            spec = {**TRAINING, "name": method, "controller": controller, "solver": "euler"}
            spec |= {"seeds": [seed]}
            runs.append(tmp_path / f"{method}-{seed}.json")
            paths.append(tmp_path / f"{method}-{seed}.csv")
            write_json(
                runs[-1], {"spec": spec, "iterations": 200, "mean_nfe": {str(seed): 10.0 + seed}}
            )
            written_table(paths[-1], Check, rows)
    fixed = []
    for tolerance in (0.01, 0.1):
        fixed.append(tmp_path / f"{tolerance}.json")
        spec = {**TRAINING, "setting": {"solver": "dopri5", "tolerance": tolerance}}
        mean_nfe = {"0": 1 / tolerance, "1": 1 / tolerance + 2, "2": 0.5}
        run = {"spec": spec, "iterations": 200, "mean_nfe": mean_nfe, "failures": {"2": {}}}
        write_json(fixed[-1], run)
    fixed.append(tmp_path / "penalty.json")
    spec = {**TRAINING, "setting": {"solver": "euler", "steps": 8}}
    run = {"spec": spec, "iterations": 200, "mean_nfe": {"0": 12.0, "1": 12.0}, "failures": {}}
    write_json(fixed[-1], run)
    drops, critical = tables / "drops.csv", tables / "critical_steps.csv"
    compare(TablesSpec(0.1, 0.1, {}), drops, critical, runs, paths, fixed, tables)
    with (tables / "comparison.csv").open(encoding="utf-8", newline="") as file:
        return tables, {row["method"]: row for row in csv.DictReader(file)}


def test_grid_search_has_the_nfe_on_both_sides_of_the_critical_step_and_the_valid_ones_accuracy(
    compared,
):
    row = compared[1]["grid search"]
    assert (row["nfe_invalid"], row["nfe_valid"]) == ("4", "8")
    assert (float(row["accuracy_mean"]), float(row["drop_mean"])) == (0.9375, 0.0625)
    assert (row["seeds"], row["seeds_valid"], row["seeds_failed"]) == ("2", "2", "0")


def test_adaptation_has_its_mean_nfe_over_training_with_and_without_monitoring(compared):
    row = compared[1]["adapt"]
    assert float(row["nfe_training"]) == 10.5
    assert float(row["nfe_monitored"]) == 10.5 + 400 / 200


def test_adaptation_has_the_accuracy_and_drop_of_its_final_models(compared):
    row = compared[1]["adapt"]
    assert (float(row["accuracy_mean"]), float(row["drop_mean"]), float(row["drop_max"])) == (
        0.75,
        0.125,
        0.25,
    )
    assert (row["seeds_valid"], row["seeds"]) == ("1", "2")


def test_a_tolerance_has_what_its_passes_took_in_training_and_the_accuracy_of_its_own_models(
    compared,
):
    for tolerance, nfe, accuracy in (("0.1", 11, 0.9), ("0.01", 101, 0.99)):
        row = compared[1][f"tolerance {tolerance}"]
        assert (row["train_solver"], row["train_tolerance"]) == ("dopri5", tolerance)
        assert float(row["nfe_training"]) == float(row["nfe_monitored"]) == pytest.approx(nfe)
        assert float(row["nfe_training_low"]) < nfe < float(row["nfe_training_high"])
        assert (float(row["accuracy_mean"]), row["seeds"]) == (pytest.approx(accuracy), "2")


def test_steps_with_a_penalty_have_what_an_iteration_took_and_the_accuracy_of_their_models(
    compared,
):
    row = compared[1]["steps 8"]
    assert (row["train_solver"], row["train_tolerance"]) == ("euler", "")
    assert (float(row["train_steps"]), float(row["nfe_monitored"])) == (8, 12)
    assert (float(row["drop_mean"]), row["seeds"]) == (0.0625, "2")


def test_the_share_of_invalid_checks_counts_those_that_could_not_shrink_any_more(compared):
    assert float(compared[1]["adapt"]["invalid_checks"]) == 0.75


def test_the_oscillation_is_how_far_the_step_goes_up_and_down_per_thousand_iterations(compared):
    # -1, -2, -3, -1 octaves in 150 iterations
    assert float(compared[1]["adapt"]["oscillation"]) == pytest.approx(1000 * 4 / 150)


def test_a_mean_over_seeds_comes_with_its_interval(compared):
    row = compared[1]["adapt"]
    low, high = float(row["nfe_training_low"]), float(row["nfe_training_high"])
    assert (low + high) / 2 == pytest.approx(10.5)
    assert high - low == pytest.approx(2 * 12.706 * 0.5, rel=1e-3)  # Student's t of two values
    low, high = float(row["nfe_late_low"]), float(row["nfe_late_high"])
    assert low < float(row["nfe_late"]) < high
    assert float(row["drop_low"]) < 0.125 < float(row["drop_high"])
    assert float(row["valid_low"]) == pytest.approx(0.0126, abs=1e-4)  # one of two
    text = (compared[0] / "comparison.md").read_text(encoding="utf-8")
    assert "1 of 2 (1–99 %)" in text


def test_the_late_nfe_is_the_mean_after_the_first_check_of_the_second_half(compared):
    # of 200 iterations: 10 and 11 evaluations on average, of which 900 came before iteration 150
    expected = ((10 * 200 - 900) / 51 + (11 * 200 - 900) / 51) / 2
    assert float(compared[1]["adapt"]["nfe_late"]) == pytest.approx(expected)
    assert compared[1]["random"]["nfe_late"] == ""


def test_a_run_without_checks_has_no_monitoring(compared):
    row = compared[1]["random"]
    assert float(row["nfe_training"]) == float(row["nfe_monitored"]) == 10.5
    assert row["invalid_checks"] == row["oscillation"] == ""


def test_published_numbers_stand_beside_the_paper_s_own_methods(compared):
    published = {method: row["published_nfe"] for method, row in compared[1].items()}
    paper = {"grid search": "65–129", "adapt": "100.5"}
    assert published == dict.fromkeys(compared[1], "") | paper


@pytest.mark.parametrize("kind", ["md", "tex"])
def test_the_readable_tables_have_a_row_per_method_and_no_missing_number(compared, kind):
    text = (compared[0] / f"comparison.{kind}").read_text(encoding="utf-8")
    assert all(method in text for method in compared[1])
    assert not any(word in text.lower() for word in ("nan", "none", "<na>"))
