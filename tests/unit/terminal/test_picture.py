"""What a person sees of a run, given what Snakemake logs about it."""

import io
import logging
import time

import pytest

from solverproof.terminal import picture
from solverproof.terminal.progress import Job, Progress

TRAIN, EVALUATE, OTHER = "train sphere2/euler", "evaluate sphere2/euler", "train digits/euler"


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Run:
    """A run of three jobs, whose logger has a handler as Snakemake's."""

    def __init__(self, stream):
        self.stream = stream
        self.logger = logging.Logger("run")
        stock = logging.StreamHandler(stream)
        stock.name = picture.STOCK
        self.logger.addHandler(stock)
        jobs = enumerate((Job(TRAIN, 60), Job(EVALUATE, 20), Job(OTHER, 20)))
        picture.show(self.logger, Progress(dict(jobs)))
        (self.picture,) = self.logger.handlers

    def log(self, event, level=logging.INFO, **found):
        self.logger.log(level, f"Snakemake on {event}", extra={"event": event, **found})

    def fail(self, number, *, log=(), output=(), message=None, indent=False):
        extra = {
            "log": [*map(str, log)],
            "output": [*map(str, output)],
            "rule_msg": message,
            "indent": indent,
        }
        self.log("job_error", logging.ERROR, jobid=number, **extra)

    def end(self):
        return picture.hide(self.logger)

    @property
    def lines(self):
        return self.stream.getvalue().splitlines()


@pytest.fixture
def run():
    run = Run(io.StringIO())
    yield run
    run.end()


@pytest.fixture
def live(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    run = Run(Terminal())
    yield run
    run.end()


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_status_tells_how_far_the_run_is_how_long_it_takes_and_what_runs(run):
    run.log("job_info", jobid=0)
    run.log("job_info", jobid=2)
    line = run.picture.status(run.picture.began + 10, 120)
    told = "20 % after 10 s, about 50 s left, 0/3 jobs"
    assert line == f"{told}: {TRAIN}, {OTHER}"
    run.log("job_finished", job_id=2)
    run.fail(0)
    line = run.picture.status(run.picture.began + 10, 120)
    assert line.endswith(", 1/3 jobs, 1 failed")


def test_the_status_has_as_many_names_as_fit_in_a_line(run):
    run.log("job_info", jobid=0)
    run.log("job_info", jobid=1)
    whole = run.picture.status(run.picture.began, 200)
    assert whole.endswith(f", 0/3 jobs: {TRAIN}, {EVALUATE}")
    fewer = run.picture.status(run.picture.began, len(whole) - 1)
    assert fewer.endswith(f", 0/3 jobs: {TRAIN} and 1 more")
    least = run.picture.status(run.picture.began, len(fewer) - 1)
    assert least.endswith("0/3 jobs")
    assert run.picture.status(run.picture.began, 20) == least[:20]


def test_what_snakemake_tells_of_itself_before_a_run_is_left_out(run):
    run.end()
    picture.shorten(run.logger)
    run.log("workflow_started")
    run.log("resources_info")
    run.logger.info("Building DAG of jobs...")
    assert run.lines == ["Snakemake on resources_info", "Building DAG of jobs..."]


def test_what_snakemake_says_of_jobs_that_start_and_end_is_not_shown(run):
    run.log("job_info", jobid=0)
    run.log("shellcmd")
    run.log("job_finished", job_id=0)
    run.log("progress")
    run.log(None)
    assert run.lines == []


def test_warnings_errors_and_that_it_is_stopped_are_shown_as_snakemake_writes_them(run):
    run.logger.warning("careful")
    run.log("error", logging.ERROR)
    run.logger.info("Terminating processes on user request, this might take some time.")
    assert run.lines == [
        "careful",
        "Snakemake on error",
        "Terminating processes on user request, this might take some time.",
    ]


def test_a_failure_is_one_line_with_the_log_and_its_last_line(run, tmp_path):
    log = tmp_path / "train.log"
    log.write_text("iteration 50\nsolverproof: disk full\n\n", encoding="utf-8")
    command = "RuleException:\nCalledProcessError in file 'train.smk', line 3:\nCommand ..."
    run.logger.error(command, extra={"event": "error"})
    run.log("job_info", jobid=0)
    run.fail(0, log=[log])
    assert run.lines == [f"failed: {TRAIN}, see {log}: solverproof: disk full"]


def test_a_failure_without_a_word_in_its_log_still_names_it(run, tmp_path):
    run.fail(0, log=[tmp_path / "missing.log"])
    assert run.lines == [f"failed: {TRAIN}, see {tmp_path}/missing.log"]


def test_a_failure_on_a_cluster_has_both_logs_and_what_the_scheduler_said(run, tmp_path):
    (tmp_path / "slurm.log").write_text("oom-kill\n", encoding="utf-8")
    logs = [tmp_path / "train.log", tmp_path / "slurm.log"]
    run.fail(0, log=logs, message="job 7 failed:\nOUT_OF_MEMORY")
    assert run.lines == [
        f"failed: {TRAIN}, see {logs[0]}, {logs[1]}: oom-kill: job 7 failed: OUT_OF_MEMORY"
    ]


def test_of_a_group_that_failed_only_the_jobs_that_did_are_told(run, tmp_path):
    for name in ("made", "made.log", "failed.log"):
        (tmp_path / name).touch()
    group = {"job_error_info": [{}, {}, {}], "aux_logs": [str(tmp_path / "group.log")]}
    run.log("group_error", logging.ERROR, **group)
    run.fail(0, log=[tmp_path / "made.log"], output=[tmp_path / "made"], indent=True)
    run.fail(1, log=[tmp_path / "failed.log"], output=[tmp_path / "not made"], indent=True)
    run.fail(2, log=[tmp_path / "not begun.log"], output=[tmp_path / "not made"], indent=True)
    assert run.lines == [
        f"failed: a group of 3 jobs, see {tmp_path}/group.log",
        f"failed: {EVALUATE}, see {tmp_path}/failed.log",
    ]


TOLD = "iteration {} of 1,000: loss 0.1, accuracy 0.9, 8 steps, 1 iterations/s, 9 min left\n"


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(picture, "PAUSE", 0.01)
    monkeypatch.setattr(picture, "GROWTH", 1)
    monkeypatch.setattr(picture, "LISTENING", 0)
    run = Run(io.StringIO())
    yield run
    run.end()


def test_how_long_a_job_still_takes_is_read_in_its_log(hasty, tmp_path):
    log = tmp_path / "train.log"
    hasty.log("job_info", jobid=0, log=[str(log)])
    log.write_text(TOLD.format(500), encoding="utf-8")
    # 500 s of its own, and the others at its pace
    wait_for(lambda: "about 17 min left" in "".join(hasty.lines[-1:]))
    log.write_text(TOLD.format(500) + "done\n", encoding="utf-8")
    wait_for(lambda: " s left" in hasty.lines[-1])


def test_a_log_of_an_earlier_try_tells_nothing(hasty, tmp_path):
    log = tmp_path / "train.log"
    for iteration in (100, 200):
        log.write_text(TOLD.format(iteration), encoding="utf-8")
        told = len(hasty.lines)
        hasty.log("job_info", jobid=0, log=[str(log)])
        wait_for(lambda told=told: len(hasty.lines) > told + 5)
        hasty.fail(0)
    assert not [line for line in hasty.lines if "min left" in line]


def test_a_log_that_cannot_be_read_tells_nothing(hasty, tmp_path):
    hasty.log("job_info", jobid=0, log=[str(tmp_path)])
    hasty.log("job_info", jobid=1)
    wait_for(lambda: len(hasty.lines) > 5)


def test_a_job_that_is_sent_again_is_told(run):
    run.fail(0)
    run.log("job_info", jobid=0)
    assert run.lines == [f"failed: {TRAIN}", f"again: {TRAIN}"]


def test_without_a_terminal_there_is_a_plain_line_now_and_then(monkeypatch):
    monkeypatch.setattr(picture, "PAUSE", 0.01)
    run = Run(io.StringIO())
    wait_for(lambda: len(run.lines) > 2)
    run.end()
    assert all(line.startswith("0 % after 0 s") for line in run.lines)
    assert not {"\r", "\x1b"}.intersection(run.stream.getvalue())


def test_on_a_terminal_one_line_lives_and_others_take_its_place(live):
    wait_for(lambda: "0/3 jobs" in live.stream.getvalue())
    live.fail(0)
    live.end()
    shown = live.stream.getvalue()
    assert shown.count("\n") == 1
    assert all(piece.startswith("\x1b[K") for piece in shown.split("\r")[1:])
    assert f"\r\x1b[Kfailed: {TRAIN}\n" in shown
    assert shown.endswith("\x1b[K")


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    run = Run(Terminal())
    run.fail(0)
    run.end()
    assert run.stream.getvalue() == f"failed: {TRAIN}\n"


def test_in_the_end_the_run_is_summed_up_and_snakemake_writes_again(run):
    for number in range(3):
        run.log("job_info", jobid=number)
        run.log("job_finished", job_id=number)
    assert run.end() == ["100 %: 3 of 3 jobs in 0 s"]
    run.logger.info("Complete log")
    assert run.lines == ["Complete log"]
    assert run.end() == []


def test_a_run_that_was_stopped_or_failed_says_how_far_it_came(run):
    run.log("job_info", jobid=1)
    run.log("job_finished", job_id=1)
    run.fail(0)
    (told,) = run.end()
    assert told == "Stopped at 20 %: 1 of 3 jobs in 0 s, 1 failed"


@pytest.mark.parametrize("first", ["Snakemake", "the job"])
def test_jobs_that_an_interruption_ends_have_not_failed(run, first):
    run.log("job_info", jobid=0)
    if first == "Snakemake":
        run.logger.info("Terminating processes on user request, this might take some time.")
    died = "RuleException:\nCalledProcessError:\nCommand 'x' died with <Signals.SIGINT: 2>."
    run.logger.error(died, extra={"event": "error"})
    run.fail(0)
    assert len(run.lines) == (first == "Snakemake")
    assert run.end() == ["Stopped at 0 %: 0 of 3 jobs in 0 s"]


def test_no_fault_of_the_picture_stops_a_study(run, monkeypatch):
    errors = io.StringIO()
    monkeypatch.setattr("sys.stderr", errors)
    run.log("job_info")
    run.log("job_info", jobid=0)
    assert "KeyError: 'jobid'" in errors.getvalue()
    assert list(run.picture.progress.running) == [0]


def test_where_snakemake_writes_nothing_neither_does_the_picture():
    logger = logging.Logger("run")
    logger.addHandler(other := logging.NullHandler())
    picture.show(logger, Progress({}))
    assert logger.handlers == [other]
    assert picture.hide(logger) == []


def test_a_run_that_ends_by_an_error_of_snakemake_leaves_no_line_behind(live):
    wait_for(lambda: "0/3 jobs" in live.stream.getvalue())
    live.picture.close()
    shown = live.stream.getvalue()
    assert shown.endswith("\x1b[K")
    time.sleep(1.5)
    assert live.stream.getvalue() == shown
