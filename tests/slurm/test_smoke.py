"""The smoke study on a real Slurm gives what a local run gives."""

import re

import pytest
from tests.through_a_cluster import assert_bytes_of_a_local_run, smoke_study

GPUS = ("train:gpu=1", "adapt:gpu=1", "train:gpu_model=a100", "adapt:gpu_model=a100")


@pytest.fixture(scope="module")
def smoke(clone, slurm, submit, tmp_path_factory):
    """The smoke study through Slurm, each cell with a mock GPU.

    Cells go in bundles of up to four, two at a time.
    """
    return smoke_study(
        clone, slurm, submit, tmp_path_factory.mktemp("smoke") / "study", "--set-resources", *GPUS
    )


def test_the_smoke_study_through_slurm_gives_the_bytes_of_a_local_run(
    smoke, clone, tmp_path_factory
):
    assert_bytes_of_a_local_run(smoke, clone, tmp_path_factory.mktemp("local") / "study")


def test_short_cells_share_jobs(smoke):
    assert [job.state for job in smoke.jobs] == ["COMPLETED"] * 3


def test_jobs_get_the_gpus_they_ask_for(smoke, slurm):
    told = slurm.run("scontrol", "--oneliner", "show", "jobs").splitlines()
    asked = [
        line
        for line in told
        if re.search(r"JobId=(?:" + "|".join(job.id for job in smoke.jobs) + r")\b", line)
    ]
    assert ["gpu:a100" in line for line in asked] == [True] * 3
