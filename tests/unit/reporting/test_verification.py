"""A study that was run again, held against published tables."""

import numpy as np
import pandas as pd
import pytest

from solverproof.__main__ import main
from solverproof.reporting.verification import CHANCE, verify

SEEDS = range(5)


def table(folder, shift=0.0, *, seeds=SEEDS, settings=(2, 4), **columns):
    """Models of some settings, and of a controller that ends with other steps in every seed."""
    moved = np.broadcast_to(shift, len(seeds))
    places = [(steps, None) for steps in settings] + [(7, "mine")]
    rows = [
        {"task": "toy", "train_solver": "euler", "train_steps": steps + (seed if name else 0)}
        | {"train_tolerance": None, "controller": name, "seed": seed, "status": "ok"}
        | {"accuracy": 0.9, "accuracy_reference": 0.5 + 0.01 * seed + change}
        | {"error": None, "error_reference": None, "drop": 0.1, "disagreement": 0.02 * seed}
        for steps, name in places
        for seed, change in zip(seeds, moved, strict=True)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).assign(**columns).to_csv(folder / "drops.csv", index=False)
    return folder


@pytest.fixture
def published(tmp_path):
    return table(tmp_path / "published" / "default" / "tables")


def test_the_same_tables_agree_to_the_last_digit(tmp_path, published):
    found = verify(table(tmp_path / "now"), published)
    assert (found.models, found.equal, found.differences, found.agrees) == (15, 15, [], True)


def test_seeds_that_move_up_and_down_are_within_chance(tmp_path, published):
    found = verify(table(tmp_path / "now", [0.05, -0.04, 0.02, -0.06, 0.03]), published)
    assert found.equal == 0
    assert {d.measure for d in found.differences} == {"accuracy_reference"}
    assert found.agrees


def test_a_mean_that_moves_by_more_than_its_seeds_do_is_beyond_chance(tmp_path, published):
    found = verify(table(tmp_path / "now", [-0.101, -0.099, -0.1, -0.102, -0.098]), published)
    assert not found.agrees
    assert len(found.beyond_chance) == 3
    assert "accuracy as an ODE, toy euler 2 steps: 52 % published, 42 % now (-10)" in " ".join(
        found.lines
    )


def test_two_seeds_that_gain_one_sample_each_are_no_finding(tmp_path):
    two = table(tmp_path / "published", seeds=(0, 1))
    assert verify(table(tmp_path / "now", 0.001, seeds=(0, 1)), two).agrees


def test_a_single_seed_shows_a_difference_and_proves_none(tmp_path):
    one = table(tmp_path / "published", seeds=(0,))
    found = verify(table(tmp_path / "now", 0.3, seeds=(0,)), one)
    assert len(found.differences) == 3
    assert found.agrees


def test_seeds_that_no_longer_train_are_beyond_chance(tmp_path, published):
    found = verify(table(tmp_path / "now", status="untrained"), published)
    assert {d.measure for d in found.beyond_chance} == {"trained"}


def test_models_that_were_published_and_are_not_there_are_told(tmp_path, published):
    found = verify(table(tmp_path / "now", settings=(4,)), published)
    assert not found.agrees
    assert "5 are not there: toy euler 2 steps 0, toy euler 2 steps 1" in " ".join(found.lines)
    assert verify(table(tmp_path / "more", settings=(2, 4, 8)), published).agrees


def test_machines_alone_are_called_beyond_chance_as_rarely_as_stated(tmp_path, published):
    random = np.random.default_rng(0)
    rounds = 40
    wrong = 0
    for _ in range(rounds):
        found = verify(table(tmp_path / "now", random.normal(0, 0.03, len(SEEDS))), published)
        wrong += not found.agrees
    # the three settings move alike, so that Bonferroni's rule gives less than CHANCE
    assert wrong <= CHANCE * rounds


def test_the_command_compares_every_published_study(tmp_path, published, capsys):
    table(published.parents[1] / "other" / "tables")
    table(tmp_path / "results" / "tables")
    assert main(["verify", str(tmp_path / "results"), str(published.parents[1])]) == 0
    told = capsys.readouterr().out
    assert "default: 15 of 15 models have the published scores, to the last digit." in told
    assert "other: not run here" in told
    table(tmp_path / "results" / "other" / "tables", 0.2)
    assert main(["verify", str(tmp_path / "results"), str(published.parents[1])]) == 1


def test_a_folder_without_published_tables_is_refused(tmp_path, capsys):
    assert main(["verify", str(tmp_path), str(tmp_path)]) == 2
    assert "no published tables" in capsys.readouterr().err
