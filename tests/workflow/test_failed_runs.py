"""A run that fails to train is data: it is counted, and the study goes on."""

import csv

import pytest

pytestmark = pytest.mark.workflow


def rows(study, table):
    with (study.results / "tables" / table).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_in_which_all_runs_diverge_is_finished_and_counts_them(study):
    study.change("select: {tasks: [sphere2]}\nprotocols: {paper_spheres: {learning_rate: 1.0e+30}}")
    outcome = study.run()
    assert outcome.jobs == {
        "train": 2,
        "evaluate": 2,
        "tabulate": 1,
        "trace": 2,
        "trajectories": 1,
        "regions": 1,
        "accuracy": 1,
    }
    evaluations = rows(study, "evaluations.csv")
    assert {row["status"] for row in evaluations} == {"diverged"}
    assert {row["accuracy"] for row in evaluations} == {""}
    assert all(row["reason"].startswith("loss not finite") for row in evaluations)
    assert {row["valid"].lower() for row in rows(study, "drops.csv")} == {"false"}
    (critical,) = rows(study, "critical_steps.csv")
    assert critical["failed_runs"] == "4"
    assert critical["valid_steps"] == ""
    assert study.plan().jobs == {}
