"""Profiles repeat what they share, and every rule says what it needs."""

import re
import subprocess
import sys

import pytest
import yaml

pytestmark = pytest.mark.workflow

NOT_RUN = ("htcondor", "kubernetes", "lsf")
CLUSTERS = ("generic", "sge", "slurm", *NOT_RUN)


def profile(clone, name):
    return yaml.safe_load(
        (clone.folder / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
    )


def test_every_profile_is_tested(clone):
    found = {folder.name for folder in (clone.folder / "profiles").iterdir()}
    assert found == {"default", *CLUSTERS}


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_profile_of_a_cluster_has_all_of_the_default_profile(clone, name):
    assert profile(clone, "default").items() <= profile(clone, name).items()


@pytest.mark.parametrize("name", CLUSTERS)
def test_a_profile_that_was_not_run_says_so_and_no_other_does(clone, name):
    text = (clone.folder / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
    assert ("NOT RUN" in text) == (name in NOT_RUN)


def test_every_rule_is_light_and_stays_where_snakemake_runs_or_tells_its_needs(clone):
    text = "\n".join(
        file.read_text(encoding="utf-8")
        for file in (clone.folder / "workflow" / "rules").glob("*.smk")
    )
    head = r"^ *(?:use )?rule (\w+)(?: as (\w+) with)?:\n"
    _, *pieces = re.split(head, text, flags=re.MULTILINE)
    own, bodies, local = {}, {}, set()
    for first, second, body in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        name = second or first
        own[name] = body
        bodies[name] = own[first] + body  # a rule that uses another has what that one says
        if "localrule: True" in body:  # but for this
            local.add(name)
    rules = {name: body for name, body in bodies.items() if "shell:" in body}
    sent = {name: body for name, body in rules.items() if name not in local}
    assert sent.keys() == {"train", "adapt", "evaluate", "audit", "trace", "explore"}
    wanted = ("group:", "threads:", "mem_mb=", "runtime=", "gpu=")
    assert [
        (name, need) for name, body in sent.items() for need in wanted if need not in body
    ] == []


@pytest.mark.parametrize("scheduler", ["sge", "slurm"])
def test_make_knows_how_to_test_a_scheduler(clone, scheduler):
    make = ["make", "--dry-run", f"test-{scheduler}"]
    done = subprocess.run(make, cwd=clone.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "requirements-cluster.txt" in done.stdout
    assert f"pytest tests/{scheduler}" in done.stdout


@pytest.mark.parametrize(
    ("scheduler", "packages"),
    [
        ("sge", "gridengine-master gridengine-exec gridengine-client"),
        ("slurm", "slurmctld slurmd slurm-client munge"),
    ],
)
def test_without_a_scheduler_its_tests_say_in_one_line_what_to_install(
    clone, tmp_path, scheduler, packages
):
    for command in (["-m", "pytest", f"tests/{scheduler}"], ["-m", f"tests.{scheduler}.cluster"]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=clone.folder,
            env={"PATH": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        (line,) = done.stdout.strip().splitlines()
        assert re.search(f"no program '.*'; on Debian: apt-get install {packages}", line)
