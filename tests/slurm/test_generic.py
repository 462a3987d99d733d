"""The profile for PBS, with a mock PBS of our own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.private_cluster import wait_until

FAKE = Path(__file__).with_name("fake_pbs.py")
TINY = """
select: {tasks: [sphere2], solvers: [euler], seeds: [0-1]}
steps:
  sphere2: {euler: [2, 8]}
controlled:
  sphere2: {euler: []}
test: {ratios: [1, 0.5]}
protocols:
  paper_spheres: {iterations: 1000}
figures:
  flow: {fine: 8, coarse: 2}
"""
PROFILE = (
    "--workflow-profile",
    "profiles/generic",
    "--seconds-between-status-checks",
    "1",
    "tables",
)


@pytest.fixture
def pbs(tmp_path, monkeypatch):
    """The folder of jobs of a PBS that is found first."""
    (tmp_path / "bin").mkdir()
    for name in ("qsub", "qstat", "qdel"):
        (tmp_path / "bin" / name).write_text(
            f"#!{sys.executable}\n" + FAKE.read_text(encoding="utf-8")
        )
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "jobs").mkdir()
    monkeypatch.setenv("FAKE_PBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    return tmp_path / "jobs"


@pytest.fixture
def study(clone, tmp_path):
    study = clone.copy_to(tmp_path / "study")
    (study.folder / "tiny.yaml").write_text(TINY, encoding="utf-8")
    return study


def qdel(pbs, number):
    subprocess.run(["qdel", number], check=True)
    return (pbs / number / "exit").read_text(encoding="utf-8")


def test_a_killed_job_is_resent_with_twice_the_memory_and_time_and_gives_the_bytes_of_a_local_run(
    study, pbs, tmp_path
):
    local = study.copy_to(tmp_path / "local")
    local.run("tables")
    with start(study, *PROFILE) as snakemake:
        wait_until((pbs / "1.fake" / "pid").exists)
        assert qdel(pbs, "1.fake") != "0"
        output, _ = snakemake.communicate(timeout=1800)
    assert snakemake.returncode == 0, output
    assert local.contents("tables")
    assert study.contents("tables", "evaluations") == local.contents("tables", "evaluations")
    options = [
        (pbs / number / "options").read_text(encoding="utf-8") for number in ("1.fake", "2.fake")
    ]
    assert "select=1:ncpus=2:mem=2004mb\n-l\nwalltime=0:18:00" in options[0]
    assert "select=1:ncpus=2:mem=4008mb\n-l\nwalltime=0:36:00" in options[1]


def test_ctrl_c_takes_the_jobs_out_of_the_queue(study, pbs):
    with start(study, *PROFILE) as snakemake:
        wait_until((pbs / "1.fake" / "pid").exists)
        snakemake.send_signal(signal.SIGINT)
        output, _ = snakemake.communicate(timeout=1800)
    assert snakemake.returncode != 0, output
    assert (pbs / "1.fake" / "exit").read_text(encoding="utf-8") == "271"


def start(study, *arguments):
    return subprocess.Popen(
        study.command(*arguments),
        cwd=study.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
