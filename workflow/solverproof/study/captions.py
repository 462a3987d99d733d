"""The captions of figures and tables, which Snakemake's report and the page of a study share."""

import re
from collections.abc import Iterable
from pathlib import Path

from solverproof.reporting.titles import kind_of


def captions(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Captions by the name of the file without its suffix; none of those that have none.

    Args:
        folder: of captions as Snakemake reads them: `figure4.rst` is that of all figures 4.
        names: of figures, such as `figure4_accuracy_sphere2`, and of tables.
    """
    files = {name: folder / f"{kind_of(name)}.rst" for name in names}
    return {name: _told(file, name) for name, file in files.items() if file.exists()}


def _told(file: Path, name: str) -> str:
    """The caption with what its wildcard stands for: all behind the kind of the figure."""
    caption = file.read_text(encoding="utf-8").strip()
    return re.sub(r"{{ snakemake\.wildcards\.\w+ }}", name.split("_", 2)[-1], caption)
