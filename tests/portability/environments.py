"""Other versions of Python, and of the packages within the ranges that the library declares."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass

from tests.workflow.conftest import REPOSITORY

PINNED = REPOSITORY / "envs" / "requirements.txt"


class MissingError(Exception):
    """This machine cannot provide a circumstance."""


@dataclass(frozen=True)
class Environment:
    """An environment in words, its version of Python (None: ours) and what pip is told."""

    told: str
    version: str | None
    packages: Callable[[], list[str]]


def environment(wanted, folder):
    """The Python of an environment, which is made in the folder if it is not there.

    Raises:
        MissingError: if this machine lacks the interpreter, or pip does not find the packages.
    """
    python, whole = folder / "bin" / "python", folder / "whole"
    if whole.exists():
        return str(python)
    interpreter = shutil.which(f"python{wanted.version}") if wanted.version else sys.executable
    if not interpreter:
        raise MissingError(f"there is no python{wanted.version}")
    if subprocess.run([interpreter, "-m", "venv", "--clear", folder], check=False).returncode:
        raise MissingError(f"{interpreter} does not run")
    install = [python, "-m", "pip", "install", "--quiet", *wanted.packages()]
    if subprocess.run(install, check=False).returncode:
        raise MissingError("pip did not install these versions")
    whole.touch()
    return str(python)


def pinned():
    return ["--requirement", str(PINNED)]


def lowest():
    """The lower ends of the ranges, and the newest of what they bring along."""
    return [*_torch(), *(re.sub(r"(>=|~=)([^,]+).*", r"==\2", needed) for needed in _ranges())]


def newest():
    return ["--upgrade", "--upgrade-strategy", "eager", *_torch(), *_ranges()]


def _ranges():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = (*project["dependencies"], *project["optional-dependencies"]["study"])
    return [line for line in needed if not line.startswith("torch>")]


def _torch():
    """Always the same, because it takes gigabytes."""
    lines = PINNED.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("torch==")]


ENVIRONMENTS = {
    "python3.12": Environment("Python 3.12, the study's exact versions", "3.12", pinned),
    "python3.13": Environment("Python 3.13, the study's exact versions", "3.13", pinned),
    "lowest": Environment(
        "The lowest versions of the ranges in `pyproject.toml`; torch that of the study",
        None,
        lowest,
    ),
    "newest": Environment(
        "The newest versions within these ranges; torch that of the study", None, newest
    ),
}
