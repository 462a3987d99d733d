import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from solverproof.evaluation import cross_solver as evaluation
from solverproof.ode.solvers import SOLVERS, Setting
from solverproof.study import workload
from solverproof.study.cells import Study
from solverproof.study.config import load, read
from solverproof.study.resources import (
    evaluation_minutes,
    gpus,
    group,
    memory_mb,
    sizing,
    training_minutes,
    wants_gpu,
)
from solverproof.study.workload import REFERENCE_NFE, evaluation_work, probing_work

# Recorded on a busy 2-core machine: largest resident memory in MB and seconds of training jobs of
# the default study.
RECORDED = {
    "sphere2/euler/steps-2/seeds-0-4": (361, 28),
    "sphere2/euler/steps-128/seeds-0-4": (433, 770),
    "sphere2/rk4/steps-16/seeds-0-4": (397, 325),
    "sphere2/fehlberg2/tolerance-0.01/seeds-0-4": (369, 750),
    "sphere2/dopri5/tolerance-0.1/seeds-0-4": (376, 923),
    "sphere2/euler/adapt_midpoint/seeds-2-2": (381, 308),
    "digits/euler/steps-32/seeds-0-4": (415, 767),
    "digits/fehlberg2/tolerance-0.1/seeds-0-4": (387, 783),
    "digits/euler/random/seeds-0-0": (370, 106),
}
RECORDED_HOURS = 1.6  # of all trainings and evaluations, on an idle one
# Seconds of trainings and evaluations of image studies on a busy one, the longest of their kind.
IMAGES = {
    "cifar10/euler/steps-8": (497, 154),
    "cifar10/euler/adapt_images": (654, 203),
    "mnist/euler/steps-16": (143, 278),
    "mnist/euler/adapt_images": (456, 375),
    "mnist/euler/random_few": (159, 52),
}
REPOSITORY = Path(__file__).parents[3]
STUDY = REPOSITORY / "config" / "config.yaml"
GUIDE = (REPOSITORY / "docs" / "cluster.md").read_text(encoding="utf-8")
SIZES = re.findall(r"^\| `(.*)` \| (\d+) \| (.*) \| (.*) \| (.*) \| (.*) \|$", GUIDE, re.MULTILINE)


@pytest.fixture(scope="module")
def config():
    return Study(load(yaml.safe_load(STUDY.read_text(encoding="utf-8"))))


def euler(config, steps, *, task="sphere2", seeds=(0,)):
    setting = Setting(SOLVERS["euler"], steps=steps)
    return config.cell(task, setting.solver, seeds, setting=setting)


@pytest.mark.parametrize("path", RECORDED)
def test_estimates_are_above_what_was_recorded_and_not_absurdly_so(config, path):
    memory, seconds = RECORDED[path]
    (cell,) = (cell for cell in config.cells if cell.path == path)
    assert 1.5 * memory < memory_mb(cell) < 6 * memory
    assert seconds / 60 < training_minutes(cell) < 20 * seconds / 60


@pytest.mark.parametrize("identity", IMAGES)
def test_cells_with_many_test_images_get_the_time_that_they_take(identity, monkeypatch):
    training, evaluating = IMAGES[identity]
    config = Study(load(read([STUDY, STUDY.with_name(f"{identity.partition('/')[0]}-cpu.yaml")])))
    cell = next(cell for cell in config.cells if cell.identity == identity)
    monkeypatch.setattr(workload, "REFERENCE_NFE", 0)  # they were recorded without references
    assert 1.5 * training < 60 * training_minutes(cell) < 20 * training
    assert 1.5 * evaluating < 60 * evaluation_minutes(cell) < 20 * evaluating


LAYER = (
    2 * 3 * 32 * 32
)  # multiply-adds of conv32 in two dimensions: two points, a kernel of width 3, 32 to 32 channels


def test_the_work_of_evaluating_counts_every_evaluation_of_the_field_on_every_test_sample(study):
    solvers, ratios = ["euler", "rk4"], [0.5, 0.3]
    study["test"] |= {"ratios": ratios, "solvers": {"euler": solvers}}
    study["tasks"]["sphere2"]["data"]["test"] = 300
    cell = euler(Study(load(study)), 8, seeds=(0, 1))
    tested = evaluation.test_settings(cell.setting, [SOLVERS[name] for name in solvers], ratios)
    nfe = sum(s.steps * s.solver.stages for s in tested)
    assert evaluation_work(cell) == 2 * 300 * (nfe + REFERENCE_NFE) * LAYER


def test_the_work_of_evaluating_adaptive_solvers_grows_with_solvers_and_tolerances(study):
    study["test"] |= {
        "tolerance_ratios": [1, 0.1, 0.01],
        "solvers": {"fehlberg2": ["fehlberg2", "dopri5"]},
    }
    setting = Setting(SOLVERS["fehlberg2"], tolerance=0.1)
    cell = Study(load(study)).cell("sphere2", setting.solver, (0,), setting=setting)
    # every test twice: in batch and alone
    assert evaluation_work(cell) == 1000 * (2 * 2 * 3 * 128 + REFERENCE_NFE) * LAYER


def test_the_work_of_probing_counts_the_deployed_setting_half_its_step_and_each_probe_solver(study):
    controller = {
        "family": "adaptation",
        "test_solver": "midpoint",
        "probe_solvers": ["midpoint", "rk4"],
    }
    study["controllers"]["probed"] = {**controller, "initial": 0.1, "probe_every": 100}
    config = Study(load(study))
    cell = config.cell("sphere2", SOLVERS["euler"], (0,), controller="probed")
    assert probing_work(cell) == 100 * 1000 * 10 * (1 + 2 + 2 + 4) * LAYER
    assert probing_work(euler(config, 8)) == 0


def test_a_file_of_the_users_own_is_taken_for_a_thousand_test_samples(study, tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("x,y\n" + "0.5,0\n1.5,1\n" * 10, encoding="utf-8")
    study["tasks"]["own"] = {
        **study["tasks"]["sphere2"],
        "network": "mlp64",
        "data": {"family": "file", "path": str(own), "classes": 2},
    }
    study["tasks"]["sphere2"]["network"] = "mlp64"
    config = Study(load(study))
    own_work, sphere_work = (
        evaluation_work(euler(config, 8, task="own")),
        evaluation_work(euler(config, 8)),
    )
    assert own_work / sphere_work == (64 * 64 + 2 * 64 * 64) / (64 * 64 + 2 * 2 * 64)


# Measured with `python -m solverproof memory`: megabytes that 128 steps on images take more than
# 8 steps.
MEASURED = {"backpropagation": 727 - 143, "recomputation": 214 - 119}


@pytest.mark.parametrize("gradient", MEASURED)
def test_the_memory_of_images_that_was_measured_is_within_the_estimate(study, gradient):
    study["tasks"]["images"] = {
        "data": {"family": "cifar10", "pool": 2},
        "network": "conv32",
        "protocol": "images",
    }
    study["protocols"]["images"] = {
        "iterations": 1,
        "batch": 64,
        "learning_rate": 1.0e-3,
        "gradient": gradient,
    }
    config = Study(load(study))
    few, many = (memory_mb(euler(config, n, task="images")) for n in (8, 128))
    assert MEASURED[gradient] <= many - few <= 2 * MEASURED[gradient]


def test_activations_that_were_recorded_are_within_the_estimate(config):
    few, many = euler(config, 2, seeds=(0, 1, 2, 3, 4)), euler(config, 128, seeds=(0, 1, 2, 3, 4))
    estimated = memory_mb(many) - memory_mb(few)
    assert 433 - 361 <= estimated <= 2 * (433 - 361)


@pytest.mark.parametrize("estimate", [memory_mb, training_minutes, evaluation_minutes])
@given(steps=st.integers(1, 500), attempt=st.integers(1, 5))
def test_every_attempt_gets_twice_as_much(config, estimate, steps, attempt):
    assert estimate(euler(config, steps), attempt + 1) == 2 * estimate(
        euler(config, steps), attempt
    )


@pytest.mark.parametrize("estimate", [memory_mb, training_minutes, evaluation_minutes])
@given(steps=st.integers(1, 250), seeds=st.integers(1, 5))
def test_more_steps_and_more_seeds_never_get_less(config, estimate, steps, seeds):
    block = tuple(range(seeds))
    least = estimate(euler(config, steps, seeds=block))
    assert least <= estimate(euler(config, 2 * steps, seeds=block))
    assert least <= estimate(euler(config, steps, seeds=(*block, seeds)))


def test_a_network_of_the_users_own_is_taken_for_two_layers_of_64(study, tmp_path, monkeypatch):
    (tmp_path / "own.py").write_text("class Field: ...", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    study["networks"]["own"] = {"family": "module", "path": "own:Field"}
    for network in ("own", "mlp64"):
        study["tasks"][network] = {**study["tasks"]["sphere2"], "network": network}
    config = Study(load(study))
    for estimate in (memory_mb, training_minutes, evaluation_minutes):
        assert estimate(euler(config, 64, task="own")) == estimate(euler(config, 64, task="mlp64"))


def test_cells_of_minutes_are_grouped_as_short_and_longer_ones_as_long(config):
    assert [group(euler(config, n, seeds=(0, 1, 2, 3, 4))) for n in (2, 4, 64, 128)] == [
        "short"
    ] * 2 + ["long"] * 2


@pytest.mark.parametrize(("test", "expected"), [(1000, "short"), (8000, "long")])
def test_a_cell_is_as_long_as_its_training_and_its_evaluation_together(test, expected, study):
    study["tasks"]["sphere2"]["data"]["test"] = test
    cell = euler(Study(load(study)), 64)
    assert training_minutes(cell) <= 10
    assert evaluation_minutes(cell) <= 10
    assert group(cell) == expected


@pytest.mark.parametrize(("device", "count"), [("cpu", 0), ("auto", 0), ("cuda", 1)])
def test_a_task_gets_a_gpu_where_it_asks_for_one_by_name(study, device, count):
    study["tasks"]["sphere2"]["device"] = device
    config = Study(load(study))
    assert gpus(euler(config, 2)) == count
    assert any(map(wants_gpu, config.tasks.values())) == bool(count)


def test_the_guide_sizes_the_default_study_and_all_of_the_supplement():
    guide = (REPOSITORY / "docs" / "study.md").read_text(encoding="utf-8")
    supplement = re.findall(r"(?m)^\| [^|]+ \| `([\w-]+\.yaml)` \|", guide)
    assert {name for name, *_ in SIZES} == {
        "config/config.yaml",
        *(f"+ config/{overlay}" for overlay in supplement),
    }


@pytest.mark.parametrize(("name", "count", "operations", "hours", "longest", "gigabytes"), SIZES)
def test_the_guide_sizes_a_study_as_the_code_does(
    name, count, operations, hours, longest, gigabytes
):
    files = [STUDY, *(REPOSITORY / overlay for overlay in re.findall(r"\+ (.*)", name))]
    config = Study(load(read(files)))
    found = config.cells
    assert count == str(len(found))
    assert sizing(found) == (
        f"about {operations} floating-point operations, {hours} core hours, "
        f"{longest} in the longest cell; memory limit {gigabytes} GB"
    )


def test_the_size_of_a_study_is_that_of_its_recorded_jobs(config):
    hours = float(re.search(r"(\S+) core", sizing(config.cells))[1])
    assert 0.5 * RECORDED_HOURS < hours < 2 * RECORDED_HOURS
