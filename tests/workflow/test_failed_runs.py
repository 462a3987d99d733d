"""A run that fails to train is data: it is counted, and the study goes on."""

import csv

import pytest

pytestmark = pytest.mark.workflow


def rows(study, table):
    with (study.results / "tables" / table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_in_which_all_runs_diverge_is_finished_and_counts_them(study):
    study.change("""
        select: {tasks: [sphere2], seeds: [0]}
        protocols: {paper_spheres: {learning_rate: 1.0e+30}}
    """)
    outcome = study.run("tables")
    assert outcome.jobs == {
        "train": 3,
        "adapt": 1,
        "evaluate": 4,
        "audit": 4,
        "tabulate": 1,
        "gather": 1,
        "compare": 1,
    }
    evaluations = rows(study, "evaluations.csv")
    # an adaptive solver meets the wild field before the loss does
    assert {row["status"] for row in evaluations if row["train_solver"] == "euler"} == {"diverged"}
    assert {row["status"] for row in evaluations} <= {
        "diverged",
        "underflow",
        "nonfinite",
        "budget",
    }
    assert {row["accuracy"] for row in evaluations} == {""}
    assert all(" at iteration " in row["reason"] for row in evaluations)
    assert {row["valid"].lower() for row in rows(study, "drops.csv")} == {"false"}
    failed = {
        row["train_solver"]: int(row["failed_runs"]) for row in rows(study, "critical_steps.csv")
    }
    assert failed == {"euler": 2, "fehlberg2": 1}
    assert {
        row["valid_steps"] + row["valid_tolerance"] for row in rows(study, "critical_steps.csv")
    } == {""}
    assert study.plan("tables").jobs == {}
