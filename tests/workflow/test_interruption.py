"""A study stopped in the middle is resumed by the same command, and ends with the same tables."""

import contextlib
import os
import shutil
import signal
import subprocess
import time

import psutil
import pytest

pytestmark = pytest.mark.workflow

CELL = "sphere2/euler/steps-4/seeds-0-1"
TABLE = "results/tables/evaluations.csv"
COMMAND = ("--cores", "2", TABLE)
AFTER_TRAINING = {"evaluate": 1, "tabulate": 1}


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture
def halfway(study):
    """The tiny study with one cell still to be trained."""
    (study.results.parent / TABLE).unlink()
    shutil.rmtree(study.results / "models" / CELL)
    (study.results / "evaluations" / f"{CELL}.csv").unlink()
    (study.results / "logs" / "train" / f"{CELL}.log").unlink()
    return study


@pytest.fixture
def training(halfway):
    """Snakemake, training that cell."""
    # a shell's background jobs ignore Ctrl-C, and so would this one
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        halfway.command(*COMMAND),
        cwd=halfway.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    signal.signal(signal.SIGINT, before)
    try:
        wait_until((halfway.results / "logs" / "train" / f"{CELL}.log").exists)
        time.sleep(1)
        assert process.poll() is None
        assert not list((halfway.results / "models" / CELL).glob("*"))
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def assert_finished_as_if_never_stopped(study, finished):
    assert study.contents("tables") == finished.contents("tables")
    assert list(study.results.rglob(".*")) == []


@pytest.mark.slow
def test_after_sigterm_the_running_job_is_finished_and_the_same_command_goes_on(
    training, halfway, finished
):
    training.terminate()
    assert training.wait(60) != 0
    assert halfway.run(TABLE).jobs == AFTER_TRAINING
    assert_finished_as_if_never_stopped(halfway, finished)


def test_after_ctrl_c_the_same_command_goes_on(training, halfway, finished):
    os.killpg(training.pid, signal.SIGINT)
    assert training.wait(60) != 0
    assert halfway.run(TABLE).jobs == {"train": 1, **AFTER_TRAINING}
    assert_finished_as_if_never_stopped(halfway, finished)


def unlock_and_go_on(study):
    refused = study.snakemake(*COMMAND)
    assert refused.code != 0
    assert "LockException" in refused.text
    assert "--unlock" in refused.text
    assert study.snakemake("--unlock").code == 0
    assert study.run(TABLE).jobs == {"train": 1, **AFTER_TRAINING}


@pytest.mark.slow
def test_after_sigkill_of_everything_the_same_command_goes_on_once_unlocked(
    training, halfway, finished
):
    os.killpg(training.pid, signal.SIGKILL)
    training.wait(60)
    unlock_and_go_on(halfway)
    assert_finished_as_if_never_stopped(halfway, finished)


@pytest.mark.slow
def test_after_sigkill_of_snakemake_alone_its_orphans_do_no_harm_however_late_they_end(
    training, halfway, finished
):
    orphans = psutil.Process(training.pid).children(recursive=True)
    training.kill()
    training.wait(60)
    for orphan in orphans:
        orphan.suspend()
    assert any(map(alive, orphans))
    unlock_and_go_on(halfway)
    for orphan in orphans:
        orphan.resume()
    wait_until(lambda: not any(map(alive, orphans)))
    assert_finished_as_if_never_stopped(halfway, finished)
    halfway.run(TABLE)
    assert_finished_as_if_never_stopped(halfway, finished)
