import io
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solverproof.__main__ import main
from solverproof.study.scaling import Recorded, recorded, report, split, wall_time

# whole seconds, so that sums are exact
CELLS = st.lists(
    st.builds(Recorded, st.just("t/s/l/seeds-0-4"), *2 * [st.integers(0, 1000)]), max_size=30
)
BENCHMARK = "s\th:m:s\tmax_rss\n{}\t0:00:01\t300.0\n"


def record(results, rule, cell, seconds):
    file = results / "benchmarks" / rule / f"{cell}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(BENCHMARK.format(seconds), encoding="utf-8")
    return file


@pytest.fixture
def results(tmp_path):
    record(tmp_path, "train", "sphere2/euler/steps-2/seeds-0-4", 300)
    record(tmp_path, "evaluate", "sphere2/euler/steps-2/seeds-0-4", 45)
    record(tmp_path, "audit", "sphere2/euler/steps-2/seeds-0-4", 15)
    record(tmp_path, "adapt", "sphere2/euler/adapt_midpoint/seeds-3-3", 120)
    return tmp_path


def work(cells):
    return sum(cell.total for cell in cells)


def critical_path(cells):
    return max((cell.total for cell in cells), default=0)


@given(CELLS, st.integers(1, 40))
def test_no_number_of_cores_beats_the_critical_path_or_the_share_of_the_work(cells, cores):
    assert wall_time(cells, cores) >= max(critical_path(cells), work(cells) / cores)


@given(CELLS, st.integers(1, 40))
def test_no_core_is_idle_while_a_job_could_start(cells, cores):
    graham = work(cells) / cores + (1 - 1 / cores) * critical_path(cells)
    assert wall_time(cells, cores) <= graham * (1 + 1e-12)


@given(CELLS)
def test_one_core_takes_the_sum_of_all_jobs(cells):
    assert wall_time(cells, 1) == work(cells)


@given(CELLS)
def test_as_many_cores_as_cells_take_the_critical_path(cells):
    assert wall_time(cells, max(1, len(cells))) == critical_path(cells)


def test_the_longest_training_starts_first_and_evaluations_wait_for_trainings():
    short, long = Recorded("short", 1, 4), Recorded("long", 10, 0)
    assert (
        wall_time([short, short, long], 2) == 10
    )  # both short ones fit beside it; after them it would end at 11
    light, heavy = Recorded("light", 1, 1), Recorded("heavy", 1, 5)
    assert (
        wall_time([light, light, heavy], 2) == 7
    )  # after both light evaluations it would end at 8


@given(CELLS, st.sampled_from([1, 2, 5, 10]))
def test_splitting_into_seeds_keeps_the_work_or_multiplies_it_but_never_beyond_the_block_per_seed(
    cells, factor
):
    parts = split(cells, factor)
    assert len(parts) == 5 * len(cells)
    assert work(parts) == pytest.approx(min(factor, 5) * work(cells))
    assert critical_path(parts) <= critical_path(cells)


def test_a_seed_on_its_own_stays_as_it_is():
    cell = Recorded("sphere2/euler/random/seeds-3-3", 120, 30)
    assert split([cell], 2) == [cell]


def test_times_are_read_from_the_benchmarks_of_a_study(results):
    assert recorded(results) == [
        Recorded("sphere2/euler/steps-2/seeds-0-4", 300, 60),
        Recorded("sphere2/euler/adapt_midpoint/seeds-3-3", 120, 0),
    ]


def test_the_report_is_a_table_and_names_the_job_that_bounds_the_study(results):
    lines = report(results).splitlines()
    assert lines[2:4] == ["| 1 | 8.0 | 1.0 | 100 | 8.0–14.0 |", "| 2 | 6.0 | 1.3 | 67 | 4.2–7.2 |"]
    assert lines[6] == "| 512 | 6.0 | 1.3 | 0 | 2.0–2.4 |"
    assert (
        lines[8]
        == "Critical path: 6.0 min, of which training `sphere2/euler/steps-2/seeds-0-4` takes 5.0."
    )


def test_the_command_line_prints_the_report(results, capsys):
    assert main(["scaling", str(results)]) == 0
    assert capsys.readouterr().out == report(results) + "\n"


def test_what_the_terminal_cannot_show_is_escaped(results, monkeypatch):
    shown = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(shown, encoding="latin-1"))
    assert main(["scaling", str(results)]) == 0
    sys.stdout.flush()
    assert b"| 8.0\\u201314.0 |" in shown.getvalue()


def test_a_folder_without_benchmarks_is_told_in_one_line(tmp_path, capsys):
    assert main(["scaling", str(tmp_path)]) == 2
    assert re.fullmatch(
        rf"solverproof: {tmp_path}/benchmarks: no times .*\n", capsys.readouterr().err
    )


@pytest.mark.parametrize("content", ["", "s\tmax_rss\n", "time\n1\n", "s\nfast\n", "s\n1\n2\n"])
def test_a_file_that_is_no_benchmark_is_told_in_one_line(results, capsys, content):
    file = record(results, "train", "digits/euler/steps-1/seeds-0-4", 1)
    file.write_text(content, encoding="utf-8")
    assert main(["scaling", str(results)]) == 2
    assert re.fullmatch(rf"solverproof: {file}: not a benchmark .*\n", capsys.readouterr().err)
