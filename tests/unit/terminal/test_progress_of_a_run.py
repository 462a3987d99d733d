import pytest
from hypothesis import given
from hypothesis import strategies as st

from solverproof.terminal.progress import Job, Progress, duration


def jobs(*seconds):
    return Progress({number: Job(f"job {number}", cost) for number, cost in enumerate(seconds)})


def run(progress, number, *, since=0.0, until):
    progress.start(number, since)
    progress.finish(number, until)


def test_the_share_is_that_of_the_work_not_of_the_jobs():
    progress = jobs(1, 1, 98)
    run(progress, 0, until=1)
    run(progress, 1, until=1)
    assert progress.share(1) == pytest.approx(0.02)


def test_a_running_job_counts_as_far_as_it_is():
    progress = jobs(100, 100)
    progress.start(0, now=0)
    assert progress.share(50) == pytest.approx(0.25)
    assert progress.seconds_left(50) == pytest.approx(150)


def test_jobs_that_run_at_once_share_the_time_left_and_it_is_never_below_that_of_the_longest():
    progress = jobs(100, 100, 100, 100)
    progress.start(0, now=0)
    progress.start(1, now=0)
    assert progress.seconds_left(0) == 200
    long = jobs(300, 10, 10)
    long.start(0, now=0)
    long.start(1, now=0)
    assert long.seconds_left(0) == 300


def test_where_jobs_take_twice_as_long_as_expected_so_will_the_others():
    progress = jobs(*[1000] * 4)
    for number in (0, 1):
        run(progress, number, until=2000)
    assert progress.seconds_left(2000) == pytest.approx(4000, rel=0.02)
    assert progress.share(2000) == pytest.approx(0.5)


def test_a_few_seconds_of_starting_up_say_little_about_how_long_others_take():
    progress = jobs(0.1, 1000)
    run(progress, 0, until=2)
    assert progress.seconds_left(2) == pytest.approx(1000, rel=0.1)


def test_a_job_that_takes_longer_than_expected_is_never_taken_for_done_nor_the_share_falls():
    progress = jobs(10)
    progress.start(0, now=0)
    assert progress.seconds_left(1000) == pytest.approx(100)
    shares = [progress.share(now) for now in range(1000)]
    assert shares == pytest.approx(sorted(shares))
    assert shares[-1] < 0.95


def test_a_job_that_failed_is_still_to_be_done_until_it_starts_again():
    progress = jobs(10, 10)
    progress.start(0, now=0)
    progress.fail(0)
    assert progress.failed == {0}
    assert progress.share(5) == 0
    progress.start(0, now=5)
    assert progress.failed == set()
    assert list(progress.running) == [0]


def test_what_a_running_job_tells_of_itself_holds_for_it_and_its_pace_for_others():
    progress = jobs(1000, 1000)
    progress.start(0, now=0)
    progress.hear(0, (4000, 3000), now=1000)
    assert progress.share(2000) == pytest.approx(0.25)
    assert progress.seconds_left(2000) == pytest.approx(2000 + 4000, rel=0.02)
    progress.finish(0, now=4000)
    assert progress.seconds_left(4000) == pytest.approx(4000, rel=0.02)


def test_a_job_that_goes_on_from_a_checkpoint_is_as_far_as_it_tells():
    progress = jobs(1000, 1000)
    progress.start(0, now=0)
    progress.hear(0, (1000, 300), now=100)
    assert progress.share(100) == pytest.approx(0.35)
    assert progress.seconds_left(200) == pytest.approx(200 + 1000)
    progress.finish(0, now=400)
    assert progress.seconds_left(400) == pytest.approx(1000)


def test_what_a_job_told_is_forgotten_once_it_tells_no_more_fails_or_starts_again():
    progress = jobs(100)
    for forget in (
        lambda: progress.hear(0, None, now=10),
        lambda: (progress.fail(0), progress.start(0, now=0)),
        lambda: progress.start(0, now=0),
    ):
        progress.start(0, now=0)
        progress.hear(0, (5000, 4990), now=10)
        assert progress.seconds_left(10) == pytest.approx(4990)
        forget()
        assert progress.seconds_left(10) == pytest.approx(90)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20), st.floats(0, 1e6), st.integers(0, 20))
def test_a_run_begins_at_nothing_and_ends_at_all(seconds, took, running):
    progress = jobs(*seconds)
    for number in range(min(running, len(seconds))):
        progress.start(number, now=0)
    assert progress.share(took) <= 1
    for number in progress.jobs:
        progress.start(number, now=0)
        progress.finish(number, took)
    assert progress.share(took) == 1
    assert progress.seconds_left(took) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (130, "2 min"), (5900, "98 min"), (6300, "1.8 h")],
)
def test_times_are_in_the_unit_that_reads_best(seconds, text):
    assert duration(seconds) == text
