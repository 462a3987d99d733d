"""Faults of Snakemake that the workflow works around."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.workflow

RULES = Path(__file__).parents[2] / "workflow" / "rules" / "workarounds.smk"
JOBS = 16
MANY = f"""
include: "{RULES}"


rule all:
    input:
        [f"{{i}}.txt" for i in range({JOBS})],


rule one:
    output:
        "{{i}}.txt",
    shell:
        "sleep 0.2; touch {{output}}"
"""


def test_snakemake_looks_for_jobs_once_a_second_at_most_and_when_one_ends(tmp_path):
    (tmp_path / "Snakefile").write_text(MANY, encoding="utf-8")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--verbose"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds = time.monotonic() - began
    assert done.stderr.count("Resources before job selection") <= JOBS + seconds + 1
