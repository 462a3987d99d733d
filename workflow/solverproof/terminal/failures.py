"""A job that failed, in one line, from what Snakemake logs about it."""

import shlex
import time
from collections.abc import Iterable
from logging import LogRecord
from pathlib import Path
from typing import Any


def job_failure(name: str, record: LogRecord) -> str | None:
    """What failed, its logs and their last lines, and what the executor says of it.

    All jobs of a group are reported when one has failed: None for a job that has not.
    """
    found = vars(record)
    if found["indent"] and not _has_failed(found):
        return None
    return _line(f"failed: {name}", found["log"], found["rule_msg"])


def group_failure(record: LogRecord) -> str:
    """The same for a group of jobs that was sent to a cluster as one; it has logs of its own."""
    found = vars(record)
    return _line(f"failed: a group of {len(found['job_error_info'])} jobs", found["aux_logs"])


def dated_ahead(results: Path, inputs: Iterable[Path]) -> list[str]:
    """A line on input files of a later time than now, whose jobs Snakemake lets fail.

    A clock that was wrong once leaves them behind.
    """
    now = time.time()
    ahead = [
        path for path in dict.fromkeys(inputs) if path.is_file() and path.stat().st_mtime > now
    ]
    if not ahead:
        return []
    others = f" and {len(ahead) - 1} more" if len(ahead) > 1 else ""
    touch = f"find -L {shlex.quote(str(results))} -newermt now -exec touch {{}} +"
    told = f"{ahead[0]}{others}: of a time yet to come; if the clock is right now, type: {touch}"
    return [f"solverproof: {told}"]


def _has_failed(found: dict[str, Any]) -> bool:
    """Whether a job of a group has begun, and not made what it should."""
    began = any(Path(log).exists() for log in found["log"])
    return began and not all(Path(path).exists() for path in found["output"])


def _line(what: str, logs: Iterable[str], message: str | None = None) -> str:
    logs = list(logs)
    reasons = [text for text in (*map(last_line, logs), message) if text]
    see = [f"{what}, see {', '.join(logs)}"] if logs else [what]
    return " ".join(": ".join([*see, *reasons]).split())


def last_line(log: str) -> str:
    """The last line of a log that is not blank; an empty one if it cannot be read."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.strip().rpartition("\n")[2]
