"""The smoke study on a real Grid Engine gives what a local run gives."""

import pytest
from tests.through_a_cluster import assert_bytes_of_a_local_run, smoke_study


@pytest.fixture(scope="module")
def smoke(clone, sge, submit, tmp_path_factory):
    """The smoke study through Grid Engine, in bundles of up to four cells, two at a time."""
    return smoke_study(clone, sge, submit, tmp_path_factory.mktemp("smoke") / "study")


def test_the_smoke_study_through_grid_engine_gives_the_bytes_of_a_local_run(
    smoke, clone, tmp_path_factory
):
    assert_bytes_of_a_local_run(smoke, clone, tmp_path_factory.mktemp("local") / "study")


def test_short_cells_share_jobs_of_as_many_cores_as_they_use(smoke):
    assert [(job.failed, job.exit_status, job.slots) for job in smoke.jobs] == [("0", "0", 2)] * 3
