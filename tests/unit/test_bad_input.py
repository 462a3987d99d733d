"""Cases of bad input that once ended in a traceback, in several lines or not at all."""

import math
from pathlib import Path

import pytest
from tests.fuzz.attempt import Case, defect

from solverproof.__main__ import main

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus.jsonl"
LINES = CORPUS.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("line", LINES, ids=map(str, range(1, len(LINES) + 1)))
def test_a_case_that_once_ended_badly_is_told_in_one_line(line):
    assert defect(Case.from_json(line), seconds=math.inf) is None


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        (Case(["check", "a.yaml"], {"a.yaml": b"select: {}"}), None),
        (Case(["check", "a\nb"]), None),
        (Case([]), None),
    ],
)
def test_the_judge_of_cases_takes_one_line_for_right(case, wrong):
    assert defect(case, seconds=math.inf) == wrong


def test_the_judge_of_cases_finds_tracebacks_and_several_lines(monkeypatch):
    def failing(_):
        raise KeyError("x")

    case = Case(["keys"])
    monkeypatch.setattr("tests.fuzz.attempt.main", failing)
    assert defect(case).startswith("traceback: KeyError")
    monkeypatch.setattr("tests.fuzz.attempt.main", lambda _: 5)
    assert defect(case) == "exit code 5"
    monkeypatch.setattr("tests.fuzz.attempt.main", lambda _: 2)
    assert defect(case).startswith("0 lines")


def test_a_command_that_is_no_verb_is_told_once_with_where_to_look(capsys):
    assert main(["--no-such"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("solverproof: the following arguments are required")
    assert line.endswith("solverproof --help")
