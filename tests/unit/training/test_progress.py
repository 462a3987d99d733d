import math
import re

import pytest
from defined import row_of

from solverproof.training import progress
from solverproof.training.loop import HistoryRow
from solverproof.training.progress import INTERVAL, Progress, seconds_told


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def rows(loss=1.5):
    return [
        row_of(HistoryRow, loss=loss, accuracy=0.25, error=math.nan, steps=8),
        row_of(HistoryRow, loss=loss + 1, accuracy=0.75, error=math.nan, steps=16),
        row_of(HistoryRow, loss=math.nan, accuracy=0.0, error=math.nan, steps=None),
    ]


def test_a_line_tells_where_training_is_how_fast_it_is_and_how_long_it_will_take(clock, capsys):
    watched = Progress(7800)
    for iteration in range(1, 122):
        watched.report(iteration, rows())
        clock[0] += INTERVAL / 120
    (line,) = capsys.readouterr().out.splitlines()
    assert line == (
        "iteration 121 of 7,800: loss 2.000, accuracy 0.500, 12 steps, 4 iterations/s, 32 min left"
    )


def test_a_training_that_is_made_longer_has_no_time_left(clock, capsys):
    watched = Progress(10)
    watched.report(10, rows())
    clock[0] += INTERVAL
    watched.report(20, rows())
    assert "iteration 20 of 10:" in (line := capsys.readouterr().out)
    assert "0 min left" in line


def test_a_long_job_prints_a_line_every_half_minute_and_no_more(clock, capsys):
    watched = Progress(100_000)
    for iteration in range(1, 3601):
        watched.report(iteration, rows())
        clock[0] += 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3600 // INTERVAL - 1
    assert re.findall(r"iteration ([\d,]+) of", lines[0]) == ["31"]


def test_a_short_job_prints_nothing(capsys):
    watched = Progress(3)
    for iteration in (1, 2, 3):
        watched.report(iteration, rows())
    assert capsys.readouterr().out == ""


def test_speed_is_that_of_the_last_half_minute_and_of_this_process(clock, capsys):
    watched = Progress(100)
    watched.report(51, rows())  # taken up from a checkpoint
    clock[0] += 60
    watched.report(52, rows())
    clock[0] += 30
    watched.report(82, rows())
    first, second = capsys.readouterr().out.splitlines()
    assert "0.0167 iterations/s, 48 min left" in first
    assert "1 iterations/s, 0 min left" in second


def test_a_line_is_read_as_what_it_was_written_from(clock, capsys):
    watched = Progress(7800)
    watched.report(1200, rows())
    clock[0] += INTERVAL
    watched.report(1200 + 10 * INTERVAL, rows())
    (line,) = capsys.readouterr().out.splitlines()
    assert seconds_told(line) == (pytest.approx(780), pytest.approx(630))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "resuming from checkpoints/training",
        "iteration 20 of 10: loss 0.1, 8 steps, 2 iterations/s, 0 min left",  # was made longer
        "iteration 2 of 10: loss 0.1, 8 steps, 0 iterations/s, 9 min left",
        "iteration 2 of 10: loss 0.1, 8 steps, ee iterations/s, 9 min left",
    ],
)
def test_other_lines_tell_no_time(line):
    assert seconds_told(line) is None
