"""Rows of `evaluations.csv` for models with given accuracies, made by hand."""

import math


def run(tests, solver="euler", steps=8, seed=0, task="toy", status="ok"):
    """Rows of one trained model; `tests` maps (solver, steps) to accuracy."""
    train = {
        "task": task,
        "train_solver": solver,
        "train_steps": steps,
        "train_tolerance": math.nan,
    }
    return [
        {
            **train,
            "controller": math.nan,
            "adapted": "false",
            "seed": seed,
            "test_solver": test_solver,
            "test_steps": test_steps,
            "test_tolerance": math.nan,
            "accuracy": math.nan if status == "diverged" else accuracy,
            "error": math.nan,
            "loss": 0.5,
            "nfe": test_steps,
            "control": math.nan,
            "changed_alone": math.nan,
            "accuracy_paired": math.nan if status == "diverged" else accuracy,
            "error_paired": math.nan,
            "disagreement": math.nan,
            "state_error": math.nan,
            "status": status,
            "reason": "loss not finite at iteration 3" if status == "diverged" else math.nan,
        }
        for (test_solver, test_steps), accuracy in tests.items()
    ]


def study(settings_of_seeds, solver="euler", task="toy"):
    """Rows of models with given drops: seed -> {steps: drop, or None for a failed run}."""
    return [
        row
        for seed, settings_of_seed in settings_of_seeds.items()
        for steps, drop in settings_of_seed.items()
        for row in run(
            {(solver, steps): 0.95, (solver, 2 * steps): 0.95 - (drop or 0)},
            solver=solver,
            steps=steps,
            seed=seed,
            task=task,
            status="diverged" if drop is None else "ok",
        )
    ]


def gave_up(rows, *tests):
    """Rows in which the solver gave up under some tests."""
    failed = {"accuracy": math.nan, "status": "budget", "reason": "more than 40 evaluations"}
    return [
        row | failed if (row["test_solver"], row["test_steps"]) in tests else row for row in rows
    ]


def with_flow(rows, accuracy, status="ok", reason=math.nan):
    """Rows of one model with those of its reference."""
    flow = {"test_solver": "reference", "test_steps": math.nan, "accuracy": accuracy}
    return [*rows, rows[0] | flow | {"status": status, "reason": reason}]


def with_errors(rows, errors, disagreement=0.25):
    """Rows of one model at these distances from its reference."""
    return [
        row | {"state_error": error, "disagreement": disagreement}
        for row, error in zip(rows, errors, strict=True)
    ]
