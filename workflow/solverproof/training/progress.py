"""Progress of a long job, for its log."""

import math
import re
import time
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from solverproof.training.loop import HistoryRow

INTERVAL = 30  # seconds between two lines
LINE = re.compile(r"iteration ([\d,]+) of ([\d,]+): .*, ([\d.e+-]+) iterations/s, ")


class Progress:
    """Prints a line every half minute: iteration, loss, score, steps, speed and time left."""

    def __init__(self, iterations: int) -> None:
        self.iterations = iterations
        self.printed: tuple[int, float] | None = None

    def report(self, iteration: int, rows: Sequence["HistoryRow"]) -> None:
        """Print a line if it is time for one.

        Args:
            iteration: counted from 1.
            rows: rows of the history for this iteration; the line has their means over seeds.
        """
        now = time.monotonic()
        # Counted from the first report, because a resumed training does not start at iteration 1.
        if self.printed is None:
            self.printed = iteration, now
        since, started = self.printed
        if now - started >= INTERVAL:
            print(self._line(iteration, (iteration - since) / (now - started), rows), flush=True)
            self.printed = iteration, now

    def _line(self, iteration: int, rate: float, rows: Sequence["HistoryRow"]) -> str:
        # A seed whose solver has just given up has no steps, and its loss is NaN.
        solved = [row for row in rows if row.steps is not None]
        loss, steps = fmean(row.loss for row in solved), fmean(row.steps or 0 for row in solved)
        accuracy, error = fmean(row.accuracy for row in solved), fmean(row.error for row in solved)
        score = f"accuracy {accuracy:.3f}" if math.isnan(error) else f"error {error:.3f}"
        # Training may be made longer than it was to be.
        left = max(0, self.iterations - iteration) / rate / 60
        return (
            f"iteration {iteration:,} of {self.iterations:,}: loss {loss:.3f}, "
            f"{score}, {steps:.4g} steps, {rate:.3g} iterations/s, "
            f"{left:.0f} min left"
        )


def seconds_told(line: str) -> tuple[float, float] | None:
    """The seconds that a training takes in all, and those left, by a line of its log.

    Args:
        line: any; None if it is no line of `Progress`, or of a training that was made longer.
    """
    if not (found := LINE.match(line)):
        return None
    try:
        done, wanted, rate = (float(text.replace(",", "")) for text in found.groups())
        return (wanted / rate, (wanted - done) / rate) if done < wanted else None
    except (ValueError, ZeroDivisionError):  # a user's own code prints what it likes
        return None
