import resource
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine must not fail a property
settings.load_profile("untimed")

torch.set_num_threads(1)  # as in every job of the study

STUDY = Path(__file__).parents[2] / "config" / "config.yaml"


@pytest.fixture(autouse=True)
def same_random_numbers():
    torch.manual_seed(0)


@pytest.fixture
def importable(tmp_path, monkeypatch):
    """Writes a module of a user's own that Python finds, in place of that of another test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)
        return tmp_path / f"{name}.py"

    return write


@pytest.fixture
def full_disk():
    """A disk that takes just so many bytes of a file: as for a full one, the system call fails."""

    @contextmanager
    def full(size):
        limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))

    return full


@pytest.fixture
def double_precision():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def study():
    return yaml.safe_load(STUDY.read_text(encoding="utf-8"))
