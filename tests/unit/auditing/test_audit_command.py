"""The command `audit`, and the gate `compare`, as a user types them."""

import json
import pickle
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from solverproof.__main__ import main

SOURCE = """
import torch
from torch import nn


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2, bias=False)

    def forward(self, t, z):
        return self.layer(z)


class Whole(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.field, self.head = nn.Linear(3, 2), Field(), nn.Linear(2, 2)


class Loose:
    def __init__(self):
        self.field, self.head = Field(), nn.Linear(2, 2)


def sides(z):
    return torch.stack([z[:, 0], -z[:, 0]], 1)


def broken():
    return 1 / 0
"""
TURNING = {"layer.weight": torch.tensor([[0.0, -2.0], [2.0, 0.0]])}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "my_model.py").write_text(SOURCE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_model", raising=False)
    monkeypatch.chdir(tmp_path)
    angle = 2 * np.pi * np.random.default_rng(0).permutation(800) / 800
    x = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x, y=(x[:, 0] < 0).astype(int))
    save_file(TURNING, tmp_path / "w.safetensors")
    return tmp_path


def run(*words):
    return main(["audit", *map(str, words)])


FIELD = ("my_model:Field", "--weights", "w.safetensors", "--data", "x.npz")
HEAD, ALONE = ("--head", "my_model:sides"), "--no-candidates"
FINE, COARSE = ("--solver", "rk4", "--steps", 16), ("--solver", "euler", "--steps", 2)


@pytest.mark.parametrize(("setting", "code", "word"), [(FINE, 0, "PASS"), (COARSE, 1, "FAIL")])
def test_the_verdict_is_the_exit_status_and_comes_first(setting, code, word, capsys):
    assert run(*FIELD, *HEAD, *setting, ALONE) == code
    out = capsys.readouterr().out
    assert word in out.splitlines()[0]
    assert len(out.splitlines()) <= 24


def test_too_few_samples_are_inconclusive(folder):
    np.savez(folder / "few.npz", np.ones((4, 2), np.float32))
    words = ("my_model:Field", "--weights", "w.safetensors", "--data", "few.npz")
    assert run(*words, *HEAD, *FINE, ALONE) == 3


def test_an_object_brings_its_encoder_and_its_head(folder):
    torch.manual_seed(0)
    from my_model import Whole

    np.savez(folder / "wide.npz", x=np.random.default_rng(0).normal(size=(600, 3)).astype("f4"))
    torch.save(Whole().state_dict(), folder / "whole.pt")
    words = ("my_model:Whole", "--weights", "whole.pt", "--data", "wide.npz")
    assert run(*words, "--solver", "dopri5", "--tolerance", 1e-5, ALONE) == 0


def test_labels_and_the_training_setting_are_told(capsys):
    trained = ("--trained", "euler", 2)
    assert run(*FIELD, *HEAD, *FINE, *trained, "--labels", "y", ALONE) == 0
    out = capsys.readouterr().out
    assert "Solver-bound" in out


def test_tolerances_that_differ_are_told_as_they_are_given(folder, capsys):
    loose, fine = ("--tolerance", 1e-3, "--atol", 1e-2), ("--trained", "dopri5", 1e-7, 1e-9)
    run(*FIELD, *HEAD, "--solver", "dopri5", *loose, *fine, ALONE, "--out", folder / "two")
    assert "dopri5 at rtol 0.001 and atol 0.01" in capsys.readouterr().out
    told = json.loads((folder / "two" / "audit.json").read_text())
    assert [told["deployed"]["atol"], told["settings"][0]["atol"]] == [1e-2, 1e-2]
    assert told["trained"] == {"solver": "dopri5", "steps": None, "tolerance": 1e-7, "atol": 1e-9}


def test_a_field_that_was_trained_without_a_solver_needs_no_pin(capsys):
    assert run(*FIELD, *HEAD, *COARSE, "--trained", "flow", ALONE) == 1
    out = capsys.readouterr().out
    assert "ODE: the field itself was trained" in out
    assert "Pin" not in out


def test_two_numbers_are_compared_as_values_where_a_comparison_is_named(capsys):
    compared = ("--compare", "solverproof:relative_error", "--accept", 0.02)
    assert run(*FIELD, "--head", "my_model:sides", *FINE, *compared, ALONE) == 0
    assert "farther off the flow than 0.02" in capsys.readouterr().out


def test_the_report_and_the_gate(folder, capsys):
    for name, setting in (("good", FINE), ("bad", COARSE)):
        run(*FIELD, *HEAD, *setting, ALONE, "--out", folder / name)
    assert {"report.html", "report.md", "card.md", "audit.json", "samples.csv"} <= {
        path.name for path in (folder / "good").iterdir()
    }
    assert json.loads((folder / "bad" / "audit.json").read_text())["verdict"] == "FAIL"
    good, bad = folder / "good" / "audit.json", folder / "bad" / "audit.json"
    assert main(["compare", str(good), str(good)]) == 0
    assert main(["compare", str(bad), str(good)]) == 0
    capsys.readouterr()
    assert main(["compare", str(good), str(bad)]) == 1
    assert "FAIL" in capsys.readouterr().out


class Evil:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("my_model:Missing", "--data", "x.npz", *FINE), "has no attribute 'Missing'"),
        (("my_model:broken", "--data", "x.npz", *FINE), "my_model:broken: ZeroDivisionError"),
        (("my_model:Field", "--data", "none.npz", *FINE), "none.npz: there is no such file"),
        (("my_model:Field", "--data", "w.safetensors", *FINE), "not an .npz archive"),
        (("my_model:Field", "--weights", "no.pt", "--data", "x.npz", *FINE), "no.pt: there is no"),
        (("my_model:Field", "--weights", "evil.pt", "--data", "x.npz", *FINE), "without running"),
        (("my_model:Whole", "--weights", "w.safetensors", "--data", "x.npz", *FINE), "do not fit"),
        (("my_model:Loose", "--weights", "w.safetensors", "--data", "x.npz", *FINE), "do not fit"),
        ((*FIELD, "--labels", "z", *FINE), "x.npz: there is no array 'z'; it has x, y"),
        ((*FIELD, "--solver", "rk5", "--steps", 4), "did you mean 'rk4'?"),
        ((*FIELD, "--solver", "rk4"), "give it steps alone"),
        ((*FIELD, *FINE, "--trained", "rk4", 0), "trained: steps of rk4 is 0"),
        ((*FIELD, *FINE, "--trained", "rk4"), "--trained rk4: write a solver and its steps"),
        ((*FIELD, *FINE, "--trained", "rk4", "x"), "--trained rk4 x: write a solver and its"),
        ((*FIELD, *FINE, "--trained", "dopri5", 1, ""), "--trained dopri5 1 : write a solver and"),
        ((*FIELD, *FINE, "--trained", "dopri5", 1, 2, 3), "1 2 3: write a solver and its"),
        ((*FIELD, *FINE, "--trained", "rk4", 1, 2), "trained: rk4 is of kind 'fixed'; give it"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(words, message, folder, capsys):
    (folder / "evil.pt").write_bytes(pickle.dumps(Evil(), protocol=2))
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    last = captured.err.splitlines()[-1]
    assert last.startswith("solverproof: ")
    assert message in last
