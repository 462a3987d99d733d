"""Tables and figures of an earlier selection, which a run neither makes nor removes."""

from collections.abc import Iterable
from pathlib import Path


def leftovers(results: Path, made: Iterable[str]) -> list[str]:
    """Paths of the tables and figures in a folder of results that are not among those made."""
    there = [file for folder in ("tables", "figures") for file in (results / folder).glob("[!.]*")]
    return sorted(map(str, set(there) - set(map(Path, made))))
