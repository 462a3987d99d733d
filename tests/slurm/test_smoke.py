"""The smoke study on a real Slurm gives what a local run gives."""

import re
from types import SimpleNamespace

import pytest

SMOKE = ("config/smoke.yaml",)
GPUS = ("train:gpu=1", "adapt:gpu=1", "train:gpu_model=a100", "adapt:gpu_model=a100")


@pytest.fixture(scope="module")
def smoke(clone, slurm, submit, tmp_path_factory):
    """The smoke study through Slurm, each cell with a mock GPU.

    Cells go in bundles of up to four, two at a time.
    """
    study = clone.copy_to(tmp_path_factory.mktemp("smoke") / "study")
    options = ("--cores", "2", "--group-components", "short=4", "--set-resources", *GPUS)
    before = len(slurm.jobs())
    outcome = submit(study, *options, overlays=SMOKE).wait()
    return SimpleNamespace(study=study, outcome=outcome, jobs=slurm.jobs()[before:])


def test_the_smoke_study_through_slurm_gives_the_bytes_of_a_local_run(
    smoke, clone, tmp_path_factory
):
    assert smoke.outcome.code == 0, smoke.outcome.text
    local = clone.copy_to(tmp_path_factory.mktemp("local") / "study")
    outcome = local.snakemake("--cores", "2", "tables", overlays=SMOKE)
    assert outcome.code == 0, outcome.text
    folders = ("smoke/tables", "smoke/evaluations", "smoke/data")
    assert local.contents("smoke/tables")
    assert smoke.study.contents(*folders) == local.contents(*folders)


def test_short_cells_share_jobs(smoke):
    assert [job.state for job in smoke.jobs] == ["COMPLETED"] * 3


def test_jobs_get_the_gpus_they_ask_for(smoke, slurm):
    told = slurm.run("scontrol", "--oneliner", "show", "jobs").splitlines()
    asked = [
        line
        for line in told
        if re.search(r"JobId=(?:" + "|".join(job.id for job in smoke.jobs) + r")\b", line)
    ]
    assert ["gpu:a100" in line for line in asked] == [True] * 4
