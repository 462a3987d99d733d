"""What a run was made with: versions, machine, commit."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "torchdiffeq", "numpy", "safetensors")


def provenance() -> dict[str, Any]:
    """Versions of what computes, threads, machine and commit of the code (None outside git)."""
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "threads": torch.get_num_threads(),
        "machine": {"platform": platform.platform(), "processor": _processor(), "cores": os.cpu_count()},
        "commit": _commit(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str | None:
    """The commit the code was at, with a plus sign if it had been edited since."""
    describe = ["git", "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    here = Path(__file__).parent
    try:
        return subprocess.run(describe, cwd=here, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
