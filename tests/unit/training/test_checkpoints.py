"""A training that was stopped at any moment goes on and ends with the same bytes."""

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from solverproof.__main__ import main
from solverproof.datasets.digits import digits
from solverproof.datasets.spheres import spheres
from solverproof.files import write_arrays
from solverproof.training import loop as training
from solverproof.training.checkpoints import INTERVAL, NAME, Checkpoint

PAPER = {
    "family": "adaptation", "test_solver": "rk4", "threshold": 0.1, "interval": 3,
    "shrink": 0.5, "grow": 1.1, "most_steps": 20, "initial": None,
    "probe_every": 4, "probe_solvers": ["euler", "rk4"],
}  # fmt: skip
CELLS = {
    "block": ("train", {"setting": {"solver": "euler", "steps": 6}, "seeds": [0, 1]}),
    "adaptive": ("train", {"setting": {"solver": "fehlberg2", "tolerance": 0.01}, "seeds": [0]}),
    "diverging": ("train", {
        "setting": {"solver": "euler", "steps": 2}, "seeds": [0, 1], "learning_rate": 3e3,
    }),
    "images": ("train", {
        "setting": {"solver": "euler", "steps": 2}, "seeds": [0],
        "task": "digits", "iterations": 20,
    }),
    "adapted": ("adapt", {"name": "some", "solver": "euler", "seeds": [0], "controller": PAPER}),
    "random": ("adapt", {
        "name": "some", "solver": "euler", "seeds": [0],
        "controller": {"family": "random", "steps": [2, 9], "probe_every": 4},
    }),
    "set point": ("adapt", {
        "name": "some", "solver": "euler", "seeds": [0],
        "controller": {
            "family": "set_point", "accept": 0.01, "spread": 4, "shortest": 5, "longest": 20,
            "most_steps": 50, "initial": None, "probe_every": 4, "probe_solvers": [],
        },
    }),
    "guarded": ("adapt", {  # no test passes, and training is made longer twice
        "name": "some", "solver": "euler", "seeds": [0], "iterations": 40, "learning_rate": 0.03,
        "controller": {
            "family": "set_point", "accept": 0.1, "spread": 4, "shortest": 5, "longest": 20,
            "most_steps": 2, "initial": 1.0, "probe_every": 4, "probe_solvers": [],
            "hold_out": 60, "most_tests": 3, "prolong": 15,
        },
    }),
}  # fmt: skip


def spec_of(cell, *, task="sphere2", iterations=60, learning_rate=0.01):
    protocol = {
        "iterations": iterations,
        "batch": 16,
        "learning_rate": learning_rate,
        "history_every": 7,
    }
    network = {"family": "conv", "channels": 8}
    return {
        "task": task,
        "model": {"network": network, "outputs": 2 if task == "sphere2" else 10, "horizon": 1.0},
        "protocol": {**protocol, "gradient": "backpropagation"},
        "device": "cpu",
        "data": {"family": "digits", "test": 1, "seed": 0},  # which training does not look at
        **cell,
    }


class Job:
    """A cell of a study, trained by the command line that its rule calls."""

    def __init__(self, folder, name):
        self.folder = folder
        self.verb, self.options = CELLS[name]
        own = {
            key: self.options[key]
            for key in ("task", "iterations", "learning_rate")
            if key in self.options
        }
        cell = {key: value for key, value in self.options.items() if key not in own}
        self.spec = spec_of(cell, **own)
        self.data = folder.parent / f"{own.get('task', 'sphere2')}.safetensors"
        if not self.data.exists():
            made = (
                digits(test=1600, seed=0)
                if "task" in own
                else spheres(dimension=2, train=100, test=20, seed=0)
            )
            write_arrays(self.data, made)

    @property
    def arguments(self):
        outputs = {"weights": "safetensors", "history": "csv", "run": "json"}
        outputs |= {"checks": "csv", "probes": "csv"} if self.verb == "adapt" else {}
        paths = {name: self.folder / f"{name}.{suffix}" for name, suffix in outputs.items()}
        given = {"data": self.data, "checkpoint": self.folder / "checkpoint", **paths}
        options = [word for name, path in given.items() for word in (f"--{name}", str(path))]
        return [self.verb, "--spec", json.dumps(self.spec), *options]

    def run(self):
        assert main(self.arguments) == 0
        return self.results()

    def results(self):
        """All outputs without the times."""
        run = json.loads((self.folder / "run.json").read_text())
        history = [
            line.rpartition(",")[0]
            for line in (self.folder / "history.csv").read_text().splitlines()
        ]
        tables = [
            file.read_bytes()
            for name in ("checks", "probes")
            for file in self.folder.glob(f"{name}.csv")
        ]
        kept = {key: run[key] for key in ("setting", "failures", "mean_nfe")}
        return (self.folder / "weights.safetensors").read_bytes(), history, tables, kept

    @property
    def checkpoint(self):
        return self.folder / "checkpoint" / NAME


@pytest.fixture(params=CELLS)
def jobs(request, tmp_path):
    return Job(tmp_path / "whole", request.param), Job(tmp_path / "stopped", request.param)


class StoppedError(Exception):
    pass


def stopping_after(monkeypatch, saves):
    """Training stops right after it saved its state for the given number of times."""
    save = Checkpoint.save
    left = [saves]

    def save_and_stop(checkpoint, parts):
        save(checkpoint, parts)
        left[0] -= 1
        if not left[0]:
            raise StoppedError

    monkeypatch.setenv(INTERVAL, "0")
    monkeypatch.setattr(Checkpoint, "save", save_and_stop)


@pytest.mark.parametrize("stops", [[1], [5, 1, 10]])
def test_a_training_that_was_stopped_ends_with_the_bytes_of_one_that_was_not(
    jobs, stops, monkeypatch
):
    whole, stopped = jobs
    expected = whole.run()
    for saves in stops:
        with monkeypatch.context() as patch:
            stopping_after(patch, saves)
            with pytest.raises(StoppedError):
                stopped.run()
        torch.manual_seed(saves)  # as a new process would not have
    assert stopped.run() == expected
    assert not stopped.checkpoint.exists()


def test_a_training_that_was_made_longer_goes_on_from_there(tmp_path, monkeypatch):
    whole, stopped = (Job(tmp_path / name, "guarded") for name in ("whole", "stopped"))
    expected = whole.run()
    assert json.loads((whole.folder / "run.json").read_text())["iterations"] == 40 + 2 * 15
    with monkeypatch.context() as patch:
        stopping_after(patch, 60)
        with pytest.raises(StoppedError):
            stopped.run()
    assert stopped.run() == expected


def test_training_really_goes_on_where_it_was_and_says_so(tmp_path, monkeypatch, capsys):
    job, losses = Job(tmp_path / "job", "block"), []
    with monkeypatch.context() as patch:
        stopping_after(patch, 40)
        with pytest.raises(StoppedError):
            job.run()
    seed_scores = training.seed_scores
    monkeypatch.setattr(training, "seed_scores", lambda *a: losses.append(1) or seed_scores(*a))
    job.run()
    assert len(losses) == 20
    assert f"resuming from {job.checkpoint}" in capsys.readouterr().out


KILLS = 2
ENVIRONMENT = {**os.environ, INTERVAL: "0"}


def test_a_process_that_is_killed_at_random_moments_again_and_again_ends_with_the_same_bytes(
    tmp_path,
):
    whole, killed = Job(tmp_path / "whole", "adapted"), Job(tmp_path / "killed", "adapted")
    expected, draw = whole.run(), np.random.default_rng(0)
    for _ in range(KILLS):
        process = start(killed)
        time.sleep(draw.uniform(0, 0.1))  # most of it is spent in writing checkpoints
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert start(killed).wait() == 0
    assert killed.results() == expected
    assert list(killed.folder.glob("checkpoint/*")) == []


def start(job):
    """A process that saves its state after every iteration, and has done so."""
    before = saved(job)
    process = subprocess.Popen(
        [sys.executable, "-m", "solverproof", *job.arguments], env=ENVIRONMENT
    )
    while saved(job) == before and process.poll() is None:
        time.sleep(0.001)
    return process


def saved(job):
    return job.checkpoint.stat().st_mtime_ns if job.checkpoint.exists() else None


def spoil(job, how):
    content = job.checkpoint.read_bytes()
    if how == "truncated":
        job.checkpoint.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        job.checkpoint.write_bytes(b"")
    elif how == "one bit":
        job.checkpoint.write_bytes(content[:-100] + bytes([content[-100] ^ 1]) + content[-99:])
    elif how == "another specification":
        job.spec["protocol"]["learning_rate"] /= 2
    else:
        write_arrays(job.data, spheres(dimension=2, train=100, test=20, seed=1))


REASONS = {
    "truncated": "corrupted",
    "empty": "corrupted",
    "one bit": "corrupted",
    "another specification": "another run",
    "another data set": "another run",
}


@pytest.mark.parametrize("how", REASONS)
def test_a_checkpoint_that_is_broken_or_of_another_run_is_ignored_with_a_warning(
    how, tmp_path, monkeypatch
):
    job = Job(tmp_path / "job", "block")
    with monkeypatch.context() as patch:
        stopping_after(patch, 20)
        with pytest.raises(StoppedError):
            job.run()
    spoil(job, how)
    with pytest.warns(
        UserWarning, match=f"{REASONS[how]}: ignored, training starts from its beginning"
    ):
        found = job.run()
    (tmp_path / "job").rename(tmp_path / "first")
    assert job.run() == found


def test_a_training_whose_disk_is_full_loses_nothing_and_goes_on_once_there_is_room(
    jobs, monkeypatch, capsys, full_disk
):
    whole, stopped = jobs
    expected = whole.run()
    with monkeypatch.context() as patch:
        stopping_after(patch, 10)
        with pytest.raises(StoppedError):
            stopped.run()
    saved = stopped.checkpoint.read_bytes()
    capsys.readouterr()
    with monkeypatch.context() as patch, full_disk(1000):
        patch.setenv(INTERVAL, "0")
        assert main(stopped.arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"solverproof: {stopped.checkpoint}: File too large; ")
    assert stopped.checkpoint.read_bytes() == saved
    assert stopped.run() == expected


@pytest.mark.parametrize("seconds", ["two minutes", "-1", "nan"])
def test_an_interval_that_is_none_is_told_in_one_line(seconds, tmp_path, monkeypatch, capsys):
    job = Job(tmp_path / "job", "block")
    monkeypatch.setenv(INTERVAL, seconds)
    assert main(job.arguments) == 2
    assert capsys.readouterr().err == (
        f"solverproof: SOLVERPROOF_CHECKPOINT_SECONDS: '{seconds}' is no number of seconds; "
        "write 0 or more, or unset it\n"
    )


def test_nothing_is_saved_before_it_is_time(tmp_path, monkeypatch):
    monkeypatch.setattr(Checkpoint, "save", lambda *_: pytest.fail("saved"))
    Job(tmp_path / "job", "block").run()


def test_a_checkpoint_is_read_without_running_what_is_in_it(tmp_path):
    class Harm:
        def __reduce__(self):
            return print, ("harm",)

    checkpoint = Checkpoint(tmp_path, "key", {})
    checkpoint.save({})
    payload = pickle.dumps({"part": Harm()}, protocol=2)
    checkpoint.path.write_bytes(f"key {hashlib.sha256(payload).hexdigest()}\n".encode() + payload)
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.load({})
