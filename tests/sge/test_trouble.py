"""Whatever happens to jobs on a real Grid Engine, the study gives what a local run gives.

Jobs are cancelled, rescheduled and refused memory in one study at once.
"""

import re
import signal
from types import SimpleNamespace

import pytest
from tests.private_cluster import wait_until
from tests.troubled import (
    GREEDY_CELL,
    TROUBLED_CELLS,
    assert_bytes_of_a_local_run,
    assert_resumed,
    troubled_study,
    with_one_cell_to_train,
)

CANCELLED, RESCHEDULED, QUIET = TROUBLED_CELLS


@pytest.fixture(scope="module")
def troubled(clone, sge, submit, tmp_path_factory):
    """A study that finished although one job was cancelled, one rescheduled, one out of memory."""
    study = troubled_study(clone, tmp_path_factory.mktemp("troubled") / "study")
    before = len(sge.jobs())
    submission = submit(study, "tables", "--group-components", "short=1")
    cancelled = submission.training(CANCELLED)["JOB_ID"]
    sge.run("qdel", cancelled)
    rescheduled = submission.training(RESCHEDULED)["JOB_ID"]
    sge.run("qmod", "-rj", rescheduled)
    outcome = submission.wait()
    return SimpleNamespace(
        study=study,
        outcome=outcome,
        jobs=sge.jobs()[before:],
        cancelled=cancelled,
        rescheduled=rescheduled,
    )


def test_a_study_whose_jobs_are_cancelled_and_rescheduled_gives_the_bytes_of_a_local_run(
    troubled, tmp_path
):
    assert_bytes_of_a_local_run(troubled, tmp_path / "local")


def test_cancelled_and_failed_jobs_are_sent_again_with_twice_the_memory_and_time(troubled):
    ended = {job.id: job for job in troubled.jobs}
    assert ended[troubled.cancelled].exit_status != "0"
    once = limits(ended[troubled.cancelled])
    assert [limits(job) for job in troubled.jobs].count([2 * limit for limit in once]) == 2


def limits(job):
    """Megabytes and seconds that a job asked for."""
    return [int(job.limits[name].removesuffix("M")) for name in ("h_vmem", "h_rt")]


def test_a_rescheduled_job_runs_again_under_its_own_number(troubled):
    runs = [job for job in troubled.jobs if job.id == troubled.rescheduled]
    assert [(job.failed, job.exit_status) for job in runs] == [("25", "0"), ("0", "0")]


@pytest.mark.parametrize("cell", [CANCELLED, RESCHEDULED])
def test_a_job_that_was_stopped_went_on_from_its_checkpoint(troubled, cell):
    assert_resumed(troubled.study, cell)


def test_a_job_that_ran_out_of_memory_finishes_with_more(troubled):
    assert re.search(
        rf"can't allocate memory(?:.*\n)*?.*models/{GREEDY_CELL}", troubled.outcome.text
    )
    assert (troubled.study.results / "evaluations" / f"{GREEDY_CELL}.csv").exists()


@pytest.fixture
def halfway(troubled, tmp_path):
    return with_one_cell_to_train(troubled.study, QUIET, tmp_path / "halfway")


def test_ctrl_c_takes_the_jobs_out_of_the_queue(halfway, submit, sge):
    submission = submit(halfway, "tables")
    number = submission.training(QUIET)["JOB_ID"]
    submission.process.send_signal(signal.SIGINT)
    assert submission.wait().code != 0
    wait_until(lambda: number in {job.id for job in sge.jobs()})
    assert not sge.processes(JOB_ID=number)


def test_what_the_cluster_does_not_have_is_told_at_submission(halfway, submit):
    profile = halfway.folder / "profiles" / "sge" / "submit"
    profile.write_text(
        profile.read_text(encoding="utf-8").replace("-pe smp", "-pe nothing"), encoding="utf-8"
    )
    outcome = submit(halfway, "tables", "--retries", "0").wait()
    assert outcome.code != 0
    assert 'the requested parallel environment "nothing" does not exist' in outcome.text
