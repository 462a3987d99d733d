"""Snakemake that sends a study's jobs to a private cluster, for the tests of schedulers."""

import contextlib
import os
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.private_cluster import PrivateCluster, clean_up_when_terminated, wait_until
from tests.workflow.conftest import Outcome, Study


def require(kind):
    """Say once and in one line what is not installed, instead of an error in every test."""
    try:
        kind.require_programs()
    except FileNotFoundError as error:
        raise pytest.UsageError(str(error)) from error
    clean_up_when_terminated()


@contextmanager
def found_by_tests(kind):
    """A private cluster that every command of these tests finds."""
    with kind.running() as private, pytest.MonkeyPatch.context() as patch:
        for name, value in private.environment.items() - os.environ.items():
            patch.setenv(name, value)
        patch.setenv("SOLVERPROOF_CHECKPOINT_SECONDS", "0.2")  # tests stop jobs after seconds
        yield private


@dataclass(frozen=True)
class Submission:
    """Snakemake, started on a study and sending its jobs to a cluster."""

    study: Study
    cluster: PrivateCluster
    process: subprocess.Popen[bytes]
    output: Path

    def wait(self, seconds=1800):
        return Outcome(self.process.wait(seconds), self.output.read_text(encoding="utf-8"))

    def training(self, cell):
        """The variables of a cell in training, once it has saved its state."""
        wait_until((self.study.results / "checkpoints" / cell / "training").exists)
        found = []

        def search():
            for process in self.cluster.processes():
                with contextlib.suppress(psutil.Error):
                    command = process.cmdline()
                    if "train" in command and any(
                        f"models/{cell}/" in argument for argument in command
                    ):
                        found.append(process.environ())
            return found

        wait_until(search)
        return found[0]


@contextmanager
def submissions(cluster, tmp_path_factory, *options):
    """Start Snakemake with a profile; what still runs in the end is stopped."""
    started = []

    def start(study, *arguments, overlays=()):
        output = tmp_path_factory.mktemp("submission") / "output"
        with output.open("wb") as out:
            process = subprocess.Popen(
                study.command(*options, *arguments, overlays=overlays),
                cwd=study.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return Submission(study, cluster, process, output)

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
