import pytest
from tests.slurm.cluster import Slurm
from tests.submission import found_by_tests, require, submissions
from tests.workflow.conftest import clone

__all__ = ["clone"]  # a fixture

# for a cluster that is quick and has no accounting
OPTIONS = ("--slurm-init-seconds-before-status-checks", "1", "--slurm-status-command", "squeue")


def pytest_configure():
    require(Slurm)


@pytest.fixture(scope="session")
def slurm():
    with found_by_tests(Slurm) as private:
        yield private


@pytest.fixture(scope="session")
def submit(slurm, tmp_path_factory):
    """Start Snakemake on a study with the Slurm profile."""
    profile = ("--workflow-profile", "profiles/slurm")
    with submissions(slurm, tmp_path_factory, *profile, *OPTIONS) as start:
        yield start
