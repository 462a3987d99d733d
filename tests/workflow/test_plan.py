"""What the configurations that come with the study imply."""

import pytest

pytestmark = pytest.mark.workflow

DEFAULT = {
    "prepare": 2,
    "train": 24,
    "adapt": 15,
    "evaluate": 39,
    "tabulate": 1,
    "compare": 1,
    "adaptation": 2,
    "trace": 2,
    "trajectories": 1,
    "regions": 1,
    "fan": 1,
    "accuracy": 2,
}


def test_the_default_study_implies_these_jobs(clone):
    assert clone.plan().jobs == DEFAULT


def test_the_workflow_is_complete_without_the_snakefile_at_the_root(clone):
    assert sorted(clone.plan("--snakefile", "workflow/Snakefile").started) == sorted(
        clone.plan().started
    )


def kinds(outcome):
    """Every training solver with the kinds of its settings or its controllers."""
    cells = (path.split("/") for rule in ("train", "adapt") for path in outcome.cells(rule))
    return {(solver, label.partition("-")[0]) for _, solver, label, _ in cells}


def test_the_smoke_study_has_the_rules_solvers_and_controllers_of_the_default_study(clone):
    smoke, default = clone.plan("--configfile", "config/smoke.yaml"), clone.plan()
    assert smoke.jobs.keys() == DEFAULT.keys()
    assert kinds(smoke) == kinds(default)


SUPPLEMENT = {
    "cifar10-cpu": {"train": 18, "adapt": 6},
    "mnist-cpu": {"train": 21, "adapt": 6},
    "paper": {"train": 220, "adapt": 10},
    "adjoint": {"train": 4},
    "digits-seeds": {"train": 24, "adapt": 40},
    "minima": {"train": 12, "adapt": 5},
    "sphere900": {"train": 30},
    "spheres": {"train": 13, "adapt": 10},
    "test_solvers": {"train": 5, "adapt": 15},
    "tolerance_adaptation": {"adapt": 20},
    "tolerances": {"train": 23},
}


@pytest.mark.parametrize(("overlay", "trained"), SUPPLEMENT.items(), ids=SUPPLEMENT.keys())
def test_every_overlay_of_the_supplement_implies_its_cells(clone, overlay, trained):
    jobs = clone.plan("--configfile", "config/config.yaml", f"config/{overlay}.yaml").jobs
    assert {rule: count for rule, count in jobs.items() if rule in ("train", "adapt")} == trained
    assert jobs["evaluate"] == sum(trained.values())
    assert ("accuracy" in jobs) == ("train" in trained)  # there is nothing to draw without settings


def test_every_overlay_is_tested(clone):
    overlays = {file.stem for file in (clone.folder / "config").glob("*.yaml")}
    assert overlays == {"config", "smoke", "solvers", *SUPPLEMENT}


def test_the_linter_has_nothing_to_say(clone):
    outcome = clone.snakemake("--lint")
    assert outcome.code == 0, outcome.text
    assert "in a good condition" in outcome.text
