"""Results that were altered between two jobs never pass as right."""

import os
import shutil

import pytest

from solverproof.checksums import FOLDERS, place_of
from solverproof.files import sha256_of

pytestmark = pytest.mark.workflow

CELL, OTHER = "sphere2/euler/steps-4/seeds-0-1", "sphere2/euler/steps-2/seeds-0-1"
WEIGHTS, TABLE = f"models/{CELL}/weights.safetensors", "results/tables/evaluations.csv"


def flipped(path):
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])


def of_another(path):
    shutil.copyfile(str(path).replace("steps-4", "steps-2"), path)


def of_another_task(path):
    shutil.copyfile(path.with_name("digits.safetensors"), path)


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def with_other_steps(path):
    path.write_text(
        path.read_text(encoding="utf-8").replace('"steps": 4', '"steps": 8'), encoding="utf-8"
    )


ALTERED = {
    "weights with a flipped bit": (WEIGHTS, flipped),
    "weights of another cell": (WEIGHTS, of_another),
    "a record of other steps": (f"models/{CELL}/run.json", with_other_steps),
    "data of another task": ("data/sphere2.safetensors", of_another_task),
    "an evaluation cut inside a number": (f"evaluations/{CELL}.csv", cut),
    "the evaluation of another cell": (f"evaluations/{CELL}.csv", of_another),
}


QUICK = ("an evaluation cut inside a number",)


@pytest.mark.parametrize(
    "how", [how if how in QUICK else pytest.param(how, marks=pytest.mark.slow) for how in ALTERED]
)
def test_a_file_that_was_altered_is_told_by_the_job_that_reads_it(study, how):
    name, alter = ALTERED[how]
    before = study.contents("tables")
    path = study.results / name
    content = path.read_bytes()
    alter(path)
    assert path.read_bytes() != content
    outcome = study.snakemake(TABLE, "--cores", 2)
    assert outcome.code != 0
    told = [file.read_text(encoding="utf-8") for file in (study.results / "logs").rglob("*.log")]
    assert any(f"solverproof: results/{name} is not what its job wrote" in text for text in told)
    # as the line says
    path.unlink()
    study.run(TABLE)
    assert study.contents("tables") == before


def test_a_table_that_was_altered_at_its_own_time_is_told_when_a_run_starts(study):
    table = study.results / "tables" / "evaluations.csv"
    before = table.stat()
    cut(table)
    os.utime(table, ns=(before.st_atime_ns, before.st_mtime_ns))
    outcome = study.snakemake("--dry-run", TABLE)
    assert outcome.code != 0
    told = outcome.text.strip().splitlines()[-1]
    assert told.startswith(f"solverproof: {TABLE} is not what its job wrote: ")


def test_every_file_that_a_stage_hands_over_has_its_checksum(finished):
    found = [path for name in FOLDERS for path in (finished.results / name).rglob("*")]
    files = [path for path in found if path.is_file()]
    assert len(files) > 30
    for file in files:
        assert place_of(file).read_text(encoding="utf-8").strip() == sha256_of(file), file
