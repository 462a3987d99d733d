import pytest
from tests.sge.cluster import GridEngine
from tests.submission import found_by_tests, require, submissions
from tests.workflow.conftest import clone

__all__ = ["clone"]  # a fixture


def pytest_configure():
    require(GridEngine)


@pytest.fixture(scope="session")
def sge():
    with found_by_tests(GridEngine) as private:
        yield private


@pytest.fixture(scope="session")
def submit(sge, tmp_path_factory):
    """Start Snakemake on a study with the profile of Grid Engine."""
    profile = ("--workflow-profile", "profiles/sge")
    quick = ("--seconds-between-status-checks", "1")
    with submissions(sge, tmp_path_factory, *profile, *quick) as start:
        yield start
