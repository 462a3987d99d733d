"""What the configurations that come with the study imply."""

import pytest

pytestmark = pytest.mark.workflow

DEFAULT = {
    "prepare": 2,
    "train": 18,
    "evaluate": 18,
    "tabulate": 1,
    "trace": 2,
    "trajectories": 1,
    "regions": 1,
    "fan": 1,
    "accuracy": 2,
}


def test_the_default_study_implies_these_jobs(clone):
    assert clone.plan().jobs == DEFAULT


def test_the_workflow_is_complete_without_the_snakefile_at_the_root(clone):
    assert sorted(clone.plan("--snakefile", "workflow/Snakefile").started) == sorted(clone.plan().started)


def test_the_smoke_study_has_the_rules_of_the_default_study(clone):
    assert clone.plan("--configfile", "config/smoke.yaml").jobs.keys() == DEFAULT.keys()


def test_the_linter_has_nothing_to_say(clone):
    outcome = clone.snakemake("--lint")
    assert outcome.code == 0, outcome.text
    assert "in a good condition" in outcome.text
