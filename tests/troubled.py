"""A study whose jobs are disturbed, for the tests of schedulers."""

import shutil

# Three cells that take long enough to be disturbed, and one with a network larger than any
# estimate.
TROUBLED = """
select: {tasks: [sphere2, own], solvers: [euler], seeds: [0-1]}
steps:
  sphere2: {euler: [2, 4, 8]}
  own: {euler: [1]}
controlled:
  sphere2: {euler: []}
test: {ratios: [1, 0.5]}
tasks:
  own:
    data: {family: spheres, dimension: 2, train: 200, test: 100}
    network: greedy
    protocol: brief
networks:
  greedy: {family: module, path: "greedy:Greedy"}
protocols:
  paper_spheres: {iterations: 8000}
  brief: {iterations: 500, batch: 32, learning_rate: 1.0e-3}
figures:
  flow: {fine: 8, coarse: 2}
"""
TROUBLED_CELLS = tuple(f"sphere2/euler/steps-{n}/seeds-0-1" for n in (2, 4, 8))
GREEDY_CELL = "own/euler/steps-1/seeds-0-1"
GREEDY_NETWORK = """
import torch

# 800 MB; where a network's layers are unknown, 1000 MB are asked for
BALLAST = torch.ones(200_000_000)


class Greedy(torch.nn.Linear):
    def __init__(self, shape):
        super().__init__(shape[-1], shape[-1])
"""


def troubled_study(clone, folder):
    """A study to be disturbed, in a folder that is not there yet."""
    study = clone.copy_to(folder)
    (study.folder / "tiny.yaml").write_text(TROUBLED, encoding="utf-8")
    (study.folder / "greedy.py").write_text(GREEDY_NETWORK, encoding="utf-8")
    return study


def with_one_cell_to_train(study, cell, folder):
    """A copy of a finished study with one cell still to be trained."""
    copy = study.copy_to(folder)
    shutil.rmtree(copy.results / "tables")
    shutil.rmtree(copy.results / "models" / cell)
    (copy.results / "evaluations" / f"{cell}.csv").unlink()
    return copy


def assert_bytes_of_a_local_run(troubled, folder):
    """A disturbed study ended, with what it gives where nothing is disturbed."""
    assert troubled.outcome.code == 0, troubled.outcome.text
    local = troubled.study.copy_to(folder)
    shutil.rmtree(local.results)
    local.run("tables")
    assert local.contents("tables")
    assert troubled.study.contents("tables", "evaluations") == local.contents(
        "tables", "evaluations"
    )


def assert_resumed(study, cell):
    """A cell that was stopped went on from its checkpoint."""
    log = (study.results / "logs" / "train" / f"{cell}.log").read_text(encoding="utf-8")
    assert f"resuming from {study.results.name}/checkpoints/{cell}/" in log
