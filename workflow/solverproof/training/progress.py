"""What a person watching a long job sees in its log."""

import time
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

INTERVAL = 30  # seconds between two lines


class Progress:
    """Prints a line every half minute: how far training is, how well it goes, how fast, and how long it will take."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.printed: tuple[int, float] | None = None

    def report(self, iteration: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Print a line if it is time for one.

        Args:
            iteration: counted from 1.
            rows: rows of the history for this iteration, of which means over seeds are told.
        """
        now = time.monotonic()
        if self.printed is None:
            self.printed = iteration, now
        since, started = self.printed
        if now - started >= INTERVAL:
            print(self._line(iteration, (iteration - since) / (now - started), rows), flush=True)
            self.printed = iteration, now

    def _line(self, iteration: int, rate: float, rows: Sequence[Mapping[str, Any]]) -> str:
        going_on = [row for row in rows if row["steps"] is not None]  # a seed whose solver just gave up took none
        loss, accuracy, steps = (fmean(row[key] for row in going_on) for key in ("loss", "accuracy", "steps"))
        left = (self.iterations - iteration) / rate / 60
        return (
            f"iteration {iteration:,} of {self.iterations:,}: loss {loss:.3f}, accuracy {accuracy:.3f}, "
            f"{steps:.4g} steps, {rate:.3g} iterations/s, {left:.0f} min left"
        )
