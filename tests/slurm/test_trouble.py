"""Whatever happens on a real Slurm, the study gives what a local run gives.

That holds for what happens to jobs, to nodes and to Snakemake. Jobs are cancelled, preempted, lost
and killed in one study at once, because a study that waits for Slurm waits most of the time.
"""

import re
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

CANCELLED, REQUEUED, LOST = TROUBLED_CELLS


@pytest.fixture(scope="module")
def troubled(clone, slurm, submit, tmp_path_factory):
    """A study that finished despite trouble with four jobs.

    One was cancelled, one was preempted, one lost its node and one ran out of memory.
    """
    study = troubled_study(clone, tmp_path_factory.mktemp("troubled") / "study")
    before = len(slurm.jobs())
    submission = submit(study, "tables", "--group-components", "short=1")
    cancelled = submission.training(CANCELLED)["SLURM_JOB_ID"]
    slurm.run("scancel", cancelled)
    requeued = submission.training(REQUEUED)["SLURM_JOB_ID"]
    slurm.requeue(requeued)
    wait_until(lambda: "FAILED" in {job.state for job in slurm.jobs()[before:]})  # out of memory
    disturbed = submission.training(LOST)
    lost, node = disturbed["SLURM_JOB_ID"], disturbed["SLURMD_NODENAME"]
    slurm.lose_node(node)
    slurm.hurry(lost)
    outcome = submission.wait()
    slurm.start_node(node)
    jobs = {job.id: job for job in slurm.jobs()[before:]}
    return SimpleNamespace(
        study=study, outcome=outcome, jobs=jobs, ids=(cancelled, requeued, lost), lost_node=node
    )


def test_a_study_whose_jobs_are_cancelled_preempted_and_lost_gives_the_bytes_of_a_local_run(
    troubled, tmp_path
):
    assert_bytes_of_a_local_run(troubled, tmp_path / "local")


def test_cancelled_and_failed_jobs_are_sent_again_with_twice_the_memory_and_time(troubled):
    cancelled = troubled.jobs[troubled.ids[0]]
    assert cancelled.state == "CANCELLED"
    again = [job for job in troubled.jobs.values() if megabytes(job) == 2 * megabytes(cancelled)]
    assert [job.state for job in again] == ["COMPLETED"] * 2
    assert [minutes(job) for job in again] == [2 * minutes(cancelled)] * 2


def megabytes(job):
    return int(job.memory.removesuffix("M"))


def minutes(job):
    return int(job.limit.removesuffix(":00"))


def test_a_preempted_job_and_one_whose_node_is_lost_run_again_under_their_own_number(troubled):
    _, requeued, lost = (troubled.jobs[number] for number in troubled.ids)
    assert (requeued.state, lost.state) == ("COMPLETED", "COMPLETED")
    assert lost.node not in {troubled.lost_node, ""}


@pytest.mark.parametrize("cell", [CANCELLED, REQUEUED, LOST])
def test_a_job_that_was_stopped_went_on_from_its_checkpoint(troubled, cell):
    assert_resumed(troubled.study, cell)


def test_a_job_that_ran_out_of_memory_finishes_with_more(troubled):
    assert re.search(
        rf"exceeded memory limit(?:.*\n)*?.*models/{GREEDY_CELL}", troubled.outcome.text
    )
    assert (troubled.study.results / "evaluations" / f"{GREEDY_CELL}.csv").exists()


def test_an_error_names_the_logs_of_slurm_and_of_the_rule(troubled):
    number, text = troubled.ids[0], troubled.outcome.text
    (error,) = re.findall(
        rf"Error in group short\n    log: \S+/{number}\.log .*\n((?:    .*\n)*)", text
    )
    assert f"log: results/logs/train/{CANCELLED}.log" in error


@pytest.fixture
def halfway(troubled, tmp_path):
    return with_one_cell_to_train(troubled.study, LOST, tmp_path / "halfway")


def test_after_snakemake_was_killed_the_same_command_does_only_what_is_missing(
    halfway, troubled, submit, slurm
):
    submission = submit(halfway, "tables")
    orphan = submission.training(LOST)["SLURM_JOB_ID"]
    submission.process.kill()
    assert submission.wait().code != 0
    assert halfway.snakemake("--unlock").code == 0
    outcome = submit(halfway, "tables").wait()
    assert outcome.code == 0, outcome.text
    finished = re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", outcome.text)
    assert finished[:2] == ["train", "evaluate"]
    assert sorted(finished[2:]) == ["audit", "gather", "tables", "tabulate"]
    wait_until(lambda: orphan not in {job.id for job in slurm.jobs(states="RUNNING")})
    assert halfway.contents("tables", "evaluations") == troubled.study.contents(
        "tables", "evaluations"
    )


WRONG = {
    "GPU model": (
        "--set-resources train:gpu=1 train:gpu_model=h100",
        "h100",
        "Requested node configuration is not",
    ),
    "partition": (
        "--default-resources slurm_partition=nowhere",
        "nowhere",
        "invalid partition specified: nowhere",
    ),
    "memory": (
        "--set-resources train:mem_mb=999999",
        "999999",
        "Memory specification can not be satisfied",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_the_cluster_does_not_have_is_told_at_submission(halfway, submit, wrong):
    options, name, reason = WRONG[wrong]
    outcome = submit(halfway, "tables", "--retries", "0", *options.split()).wait()
    assert outcome.code != 0
    (told,) = re.findall(r"SLURM sbatch failed(?:.*\n)*?        sbatch .*", outcome.text)
    assert reason in told
    assert name in told
