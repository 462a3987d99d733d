"""The smoke study on a real Grid Engine gives what a local run gives."""

from types import SimpleNamespace

import pytest

SMOKE = ("config/smoke.yaml",)


@pytest.fixture(scope="module")
def smoke(clone, sge, submit, tmp_path_factory):
    """The smoke study through Grid Engine, in bundles of up to four cells, two at a time."""
    study = clone.copy_to(tmp_path_factory.mktemp("smoke") / "study")
    options = ("--cores", "2", "--group-components", "short=4")
    before = len(sge.jobs())
    outcome = submit(study, *options, overlays=SMOKE).wait()
    return SimpleNamespace(study=study, outcome=outcome, jobs=sge.jobs()[before:])


def test_the_smoke_study_through_grid_engine_gives_the_bytes_of_a_local_run(
    smoke, clone, tmp_path_factory
):
    assert smoke.outcome.code == 0, smoke.outcome.text
    local = clone.copy_to(tmp_path_factory.mktemp("local") / "study")
    outcome = local.snakemake("--cores", "2", "tables", overlays=SMOKE)
    assert outcome.code == 0, outcome.text
    folders = ("smoke/tables", "smoke/evaluations", "smoke/data")
    assert local.contents("smoke/tables")
    assert smoke.study.contents(*folders) == local.contents(*folders)


def test_short_cells_share_jobs_of_as_many_cores_as_they_use(smoke):
    assert [(job.failed, job.exit_status, job.slots) for job in smoke.jobs] == [("0", "0", 2)] * 3
