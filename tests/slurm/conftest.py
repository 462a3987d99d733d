import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from cluster import Cluster, clean_up_when_terminated, cluster, require_programs, wait_until
from tests.workflow.conftest import Outcome, Study, clone

__all__ = ["clone"]  # a fixture

# for a cluster that is quick and has no accounting
OPTIONS = ("--slurm-init-seconds-before-status-checks", "1", "--slurm-status-command", "squeue")


def pytest_configure():
    # once and in one line, instead of an error in every test
    try:
        require_programs()
    except FileNotFoundError as error:
        raise pytest.UsageError(str(error)) from error
    clean_up_when_terminated()


@pytest.fixture(scope="session")
def slurm():
    """A private Slurm, found by every command of this session."""
    with cluster() as private, pytest.MonkeyPatch.context() as patch:
        for name in ("PATH", "SLURM_CONF"):
            patch.setenv(name, private.environment[name])
        patch.setenv("SOLVERPROOF_CHECKPOINT_SECONDS", "0.2")  # tests stop jobs after seconds
        yield private


@dataclass(frozen=True)
class Submission:
    """Snakemake, started on a study and sending its jobs to Slurm."""

    study: Study
    slurm: Cluster
    process: subprocess.Popen[bytes]
    output: Path

    def wait(self, seconds=600):
        return Outcome(self.process.wait(seconds), self.output.read_text(encoding="utf-8"))

    def training(self, cell):
        """Slurm's job number and the node of a cell in training, once it has saved its state."""
        wait_until((self.study.results / "checkpoints" / cell / "training").exists)
        found = []

        def search():
            for process in self.slurm.processes():
                with contextlib.suppress(psutil.Error):
                    command = process.cmdline()
                    if "train" in command and any(
                        f"models/{cell}/" in argument for argument in command
                    ):
                        found.append(process.environ())
            return found

        wait_until(search)
        return found[0]["SLURM_JOB_ID"], found[0]["SLURMD_NODENAME"]


@pytest.fixture(scope="session")
def submit(slurm, tmp_path_factory):
    """Start Snakemake on a study with the Slurm profile; what still runs in the end is stopped."""
    started = []

    def start(study, *arguments, overlays=()):
        command = study.command(
            "--workflow-profile", "profiles/slurm", *OPTIONS, *arguments, overlays=overlays
        )
        output = tmp_path_factory.mktemp("submission") / "output"
        with output.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=study.folder,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return Submission(study, slurm, process, output)

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
