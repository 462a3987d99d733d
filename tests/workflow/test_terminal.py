"""What a person sees of a run, where the tests do not ask for Snakemake's own lines."""

import os
import signal
import subprocess
import time
from dataclasses import replace

import pytest

pytestmark = pytest.mark.workflow

FAN = "results/figures/figure3_fan.pdf"
CELL = "sphere2/euler/steps-4/seeds-0-1"
MISSING = """
source: elsewhere
tasks: {images: {data: {family: mnist, sha256: SUMS}, network: conv16, protocol: digits}}
"""
FILES = [
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]


def plainly(study):
    return replace(study, options=())


def log_of(study):
    """All that Snakemake said in its last run."""
    *_, newest = sorted((study.folder / ".snakemake" / "log").iterdir())
    return newest.read_text(encoding="utf-8")


def test_a_run_is_told_in_few_lines_and_ends_with_its_numbers_while_the_log_keeps_all(study):
    (study.folder / FAN).unlink()
    outcome = plainly(study).run()
    told = outcome.text.partition("total")[2].splitlines()[1:]
    assert len(told) < 20, outcome.text
    assert "localrule" not in outcome.text
    assert "100 %: 3 of 3 jobs in " in outcome.text
    assert "\n10 figures in results/figures\n7 tables in results/tables\n" in outcome.text
    assert "\nsphere2  euler, adapt_midpoint " in outcome.text
    assert "localrule fan:" in log_of(study)
    assert "Finished jobid: " in log_of(study)


def test_a_failure_is_one_line_with_its_log_and_the_rest_goes_on(study, monkeypatch):
    monkeypatch.delenv("SOLVERPROOF_DATA", raising=False)
    (study.folder / FAN).unlink()
    sums = ", ".join(f"{name}: '{'0' * 64}'" for name in FILES)
    study.change(MISSING.replace("SUMS", f"{{{sums}}}"))
    outcome = plainly(study).snakemake(FAN, "results/data/images.safetensors", "--cores", "1")
    assert outcome.code != 0
    (line,) = [line for line in outcome.text.splitlines() if "prepare" in line and "see" in line]
    assert line.startswith(
        "failed: prepare images, see results/logs/prepare/images.log: "
        "solverproof: elsewhere/mnist/train-images-idx3-ubyte.gz: there is no such file"
    )
    assert "Command" not in outcome.text.partition("total")[2]
    assert ": 1 of 2 jobs in " in outcome.text
    assert ", 1 failed\nThe same command goes on from here.\n" in outcome.text
    assert (study.folder / FAN).exists()
    assert "CalledProcessError" in log_of(study)
    assert "localrule prepare:" in log_of(study)


def test_a_run_that_is_interrupted_says_how_far_it_came(fresh):
    # a shell's background jobs ignore Ctrl-C, and so would this one
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        plainly(fresh).command(f"results/models/{CELL}/run.json", "--cores", "1"),
        cwd=fresh.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        text=True,
    )
    signal.signal(signal.SIGINT, before)
    log = fresh.results / "logs" / "train" / f"{CELL}.log"
    end = time.monotonic() + 60
    while not log.exists() and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Terminating processes on user request" in text
    assert ": 1 of 2 jobs in " in text
    assert "\nThe same command goes on from here.\n" in text
    assert "failed" not in text


def test_a_study_with_nothing_to_do_tells_its_numbers(study):
    outcome = plainly(study).run()
    assert outcome.idle
    assert "\n10 figures in results/figures\n7 tables in results/tables\n" in outcome.text
    assert "\nsphere2  euler " in outcome.text


def test_what_comes_before_a_run_and_dry_runs_are_snakemakes_own(fresh):
    assert plainly(fresh).plan().jobs == fresh.plan().jobs != {}
