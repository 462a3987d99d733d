"""What a run was computed with: versions, machine, commit."""

import json
import os
import platform
import subprocess
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchdiffeq", "numpy", "safetensors")


def provenance() -> dict[str, Any]:
    """Versions, threads, machine and the commit of the code (None outside git)."""
    import torch

    return {
        "versions": versions(),
        "threads": torch.get_num_threads(),
        "machine": {
            "platform": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
        "commit": _commit(),
    }


def versions() -> dict[str, str]:
    """Installed versions of Python and of the packages that compute."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def upgrades(models: Path) -> Iterator[str]:
    """One line for every package version, other than the installed one, that trained some models.

    Args:
        models: the folder of trained models.
    """
    runs = [run for path in models.glob("*/*/*/*/run.json") if (run := _versions(path))]
    found = Counter(item for run in runs for item in run.items())
    for (name, old), count in sorted(found.items()):
        if old != versions().get(name, old):
            yield (
                f"{name} {versions()[name]} is installed; "
                f"{count} of {len(runs)} cells were trained with {old}"
            )


def _versions(run: Path) -> dict[str, str]:
    """The versions in a run's record; none of a damaged one, whose readers refuse it."""
    try:
        return dict(json.loads(run.read_text(encoding="utf-8"))["versions"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str | None:
    """The commit of the code, with a plus sign if there are uncommitted edits."""
    try:
        # An installed copy may lie in somebody's repository, whose commit says nothing of it.
        _git("ls-files", "--error-unmatch", __file__)
        return _git("describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    command, here = ["git", *arguments], Path(__file__).parent
    return subprocess.run(
        command, cwd=here, capture_output=True, text=True, check=True
    ).stdout.strip()
