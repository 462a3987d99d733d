"""A few lines about a run in place of Snakemake's many, which its own log file keeps."""

import os
import shutil
import threading
import time
from collections.abc import Sequence
from logging import WARNING, Handler, Logger, LogRecord, StreamHandler
from typing import Any

from solverproof.terminal.failures import group_failure, job_failure, last_line
from solverproof.terminal.progress import Progress, duration
from solverproof.training.progress import seconds_told

STOCK = "DefaultStreamHandler"  # Snakemake's name for what writes on the terminal
ABOUT_ITSELF = "workflow_started"  # its version, host and files
KILLING = "Terminating"  # how Snakemake begins when it is interrupted and stops its jobs
ENDING = (KILLING, "Will exit", "Shutting down")
COLUMNS = 120  # of a line where there is no terminal
PAUSE, GROWTH, LONGEST = 5.0, 1.3, 600.0  # seconds between two lines there, ever more
LISTENING = 10.0  # seconds between two looks into the logs of running jobs
CLEAR = "\r\x1b[K"


class Picture(Handler):
    """Shows how far a run is: one line that lives on a terminal, elsewhere one now and then.

    Every failure is told at once, in one line. Snakemake's own warnings and errors look as they
    always do.
    """

    def __init__(self, stock: "StreamHandler[Any]", progress: Progress) -> None:
        super().__init__()
        self.stock, self.stream, self.progress = stock, stock.stream, progress
        self.live = self.stream.isatty() and os.getenv("TERM") != "dumb"
        self.began, self.killing = time.monotonic(), False
        self.logs: dict[int, str] = {}
        self.heard: dict[int, str] = {}  # the last line of each of them
        self.listened = self.began
        self.over, self.turn = threading.Event(), threading.RLock()
        threading.Thread(target=self._tick, daemon=True).start()

    def emit(self, record: LogRecord) -> None:
        """Take note of what Snakemake logs, and tell what a person must know."""
        try:
            with self.turn:
                self._note(record)
        except Exception:  # noqa: BLE001  a picture must never stop a study
            self.handleError(record)

    def close(self) -> None:
        """Show nothing any more."""
        with self.turn:
            if not self.over.is_set():
                self.over.set()
                self._write("")
        super().close()

    def summary(self) -> str:
        """What to say of the run at its end."""
        done, jobs = len(self.progress.took), len(self.progress.jobs)
        how = "100 %" if done == jobs else f"Stopped at {self._share(time.monotonic())}"
        told = f"{how}: {done} of {jobs} jobs in {duration(time.monotonic() - self.began)}"
        failed = len(self.progress.failed)
        return f"{told}, {failed} failed" if failed else told

    def status(self, now: float, columns: int) -> str:
        """How far the run is and what is under way, in one line of at most so many columns."""
        progress = self.progress
        failed = f", {len(progress.failed)} failed" if progress.failed else ""
        line = (
            f"{self._share(now)} after {duration(now - self.began)}, "
            f"about {duration(progress.seconds_left(now))} left, "
            f"{len(progress.took)}/{len(progress.jobs)} jobs{failed}"
        )
        running = [progress.jobs[number].name for number in progress.running]
        return _with_names(line, running, columns)

    def _share(self, now: float) -> str:
        return f"{100 * self.progress.share(now):.0f} %"

    def _note(self, record: LogRecord) -> None:
        found, now, progress = vars(record), time.monotonic(), self.progress
        self.killing |= _is_interruption(record)
        match found.get("event"):
            case "job_info":
                number = found["jobid"]
                if number in progress.failed:
                    self._tell(f"again: {progress.jobs[number].name}")
                progress.start(number, now)
                log = self.logs[number] = next(iter(found.get("log") or []), "")
                self.heard[number] = last_line(log)  # perhaps of an earlier try
            case "job_finished":
                progress.finish(found["job_id"], now)
            case "job_error" if self.killing:
                progress.stop(found["jobid"])
            case "job_error":
                progress.fail(found["jobid"])
                self._tell(job_failure(progress.jobs[found["jobid"]].name, record))
            case "group_error":
                self._tell(group_failure(record))
            case event if _is_worth_telling(event, record):
                self._write("")
                self.stock.handle(record)

    def _tick(self) -> None:
        pause = 1.0 if self.live else PAUSE
        while not self.over.wait(pause):
            if time.monotonic() - self.listened >= LISTENING:
                self._listen()
            with self.turn:
                if not self.over.is_set():
                    self._show()
            pause = pause if self.live else min(GROWTH * pause, LONGEST)

    def _listen(self) -> None:
        """Learn from the logs of running jobs how long these take."""
        with self.turn:
            logs = {number: self.logs[number] for number in self.progress.running}
        # Not in turn: a slow file system must not hold Snakemake up.
        lines = {number: last_line(log) for number, log in logs.items()}
        now = self.listened = time.monotonic()
        with self.turn:
            for number in self.progress.running.keys() & lines.keys():
                if lines[number] != self.heard[number]:
                    self.progress.hear(number, seconds_told(lines[number]), now)
                self.heard[number] = lines[number]

    def _show(self) -> None:
        columns = shutil.get_terminal_size().columns - 1 if self.live else COLUMNS
        self._write(self.status(time.monotonic(), columns) + ("" if self.live else "\n"))

    def _tell(self, line: str | None) -> None:
        if line:
            self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        """Write in the place of the line that lives."""
        self.stream.write(CLEAR + text if self.live else text)
        self.stream.flush()


def shorten(logger: Logger) -> None:
    """Leave out what Snakemake tells of itself before a run."""
    for handler in _stock(logger):
        handler.addFilter(lambda record: getattr(record, "event", None) != ABOUT_ITSELF)


def show(logger: Logger, progress: Progress) -> None:
    """Put a picture in the place of what Snakemake writes, if it writes anything."""
    for handler in _stock(logger):
        _replace(logger, handler, Picture(handler, progress))


def hide(logger: Logger) -> list[str]:
    """Put Snakemake's own output back; a line about the run, if there was a picture of it."""
    pictures = [handler for handler in logger.handlers if isinstance(handler, Picture)]
    for picture in pictures:
        _replace(logger, picture, picture.stock)
        picture.close()
    return [picture.summary() for picture in pictures]


def _stock(logger: Logger) -> list["StreamHandler[Any]"]:
    return [h for h in logger.handlers if h.name == STOCK and isinstance(h, StreamHandler)]


def _replace(logger: Logger, old: Handler, new: Handler) -> None:
    logger.removeHandler(old)
    logger.addHandler(new)


def _is_interruption(record: LogRecord) -> bool:
    """Ctrl-C reaches Snakemake and its jobs at once, and either may be logged first."""
    message = str(record.msg)
    return message.startswith(KILLING) or "died with <Signals.SIGINT" in message


def _is_worth_telling(event: str | None, record: LogRecord) -> bool:
    message = str(record.msg)
    if event == "error" and "CalledProcessError" in message:
        return False  # the command of a job that failed, which is told in a line of its own
    return record.levelno >= WARNING or message.startswith(ENDING)


def _with_names(line: str, names: Sequence[str], columns: int) -> str:
    """A line with as many of the names as fit, and the number of the others."""
    for shown in range(len(names), 0, -1):
        more = f" and {len(names) - shown} more" if shown < len(names) else ""
        found = f"{line}: {', '.join(names[:shown])}{more}"
        if len(found) <= columns:
            return found
    return line[:columns]
