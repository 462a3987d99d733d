"""How far a study is and how long it still takes, by what its jobs are expected to cost."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

# Expected seconds are trusted as if jobs of so many seconds had already taken exactly theirs.
TRUST = 20.0
OVERTIME = 0.1  # what a job that takes longer than expected has left, relative to its time so far


@dataclass(frozen=True)
class Told:
    """What a running job says of itself: its seconds in all, and when it will be done."""

    whole: float
    end: float


@dataclass(frozen=True)
class Job:
    """A job of a study: its name, and its expected seconds on an idle core."""

    name: str
    seconds: float


@dataclass
class Progress:
    """The jobs of one run, as they start and end. Times are seconds of any clock.

    Attributes:
        jobs: all jobs that are to be run, by number.
        running: when each job that runs started.
        took: seconds of each job that is done, before its checkpoint as well.
        told: what running jobs have said of themselves.
        failed: the jobs that failed and were not started again.
        lanes: the most jobs that ran at once.
    """

    jobs: Mapping[int, Job]
    running: dict[int, float] = field(default_factory=dict)
    took: dict[int, float] = field(default_factory=dict)
    told: dict[int, Told] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)
    lanes: int = 1

    def start(self, number: int, now: float) -> None:
        """A job has started, perhaps once more."""
        self.stop(number)
        self.failed.discard(number)
        self.running[number] = now
        self.lanes = max(self.lanes, len(self.running))

    def hear(self, number: int, told: tuple[float, float] | None, now: float) -> None:
        """A running job tells how many seconds it takes in all, and how many are left."""
        self.told.pop(number, None)
        if told:
            whole, left = told
            self.told[number] = Told(whole, now + left)

    def finish(self, number: int, now: float) -> None:
        """A job is done."""
        told = self.told.get(number, Told(0, now))
        self.took[number] = max(now - self.running.get(number, now), told.whole)
        self.stop(number)

    def fail(self, number: int) -> None:
        """A job has failed."""
        self.stop(number)
        self.failed.add(number)

    def stop(self, number: int) -> None:
        """A job runs no more, whatever became of it."""
        self.running.pop(number, None)
        self.told.pop(number, None)

    def share(self, now: float) -> float:
        """The share of the expected work that is done, that of running jobs included."""
        running = sum(
            self.jobs[number].seconds * done / (done + left)
            for number, (done, left) in self._times(now, self.running).items()
            if done > 0
        )
        work = self._expected(self.jobs)
        return (self._expected(self.took) + running) / work if work else 1.0

    def seconds_left(self, now: float) -> float:
        """Expected seconds until all jobs are done.

        No schedule is shorter than its longest job, or than all work shared evenly; the one that
        starts long jobs first is not much longer.
        """
        times = self._times(now, self.jobs.keys() - self.took.keys())
        left = [seconds for _, seconds in times.values()]
        return max(sum(left) / self.lanes, max(left, default=0.0))

    def _times(self, now: float, numbers: Collection[int]) -> dict[int, tuple[float, float]]:
        """Expected seconds that each job has behind it and before it."""
        known = {number: told.whole for number, told in self.told.items()} | self.took
        pace = (TRUST + sum(known.values())) / (TRUST + self._expected(known))
        return {number: self._times_of(number, now, pace) for number in numbers}

    def _times_of(self, number: int, now: float, pace: float) -> tuple[float, float]:
        if number in self.told:  # has more behind it, if it went on from a checkpoint
            left = max(self.told[number].end - now, 0.0)
            return self.told[number].whole - left, left
        done = now - self.running.get(number, now)
        return done, max(pace * self.jobs[number].seconds - done, OVERTIME * done)

    def _expected(self, numbers: Collection[int]) -> float:
        return sum(self.jobs[number].seconds for number in numbers)


def duration(seconds: float) -> str:
    """A time for readers: `40 s`, `12 min` or `3.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"
