"""A study as one page of HTML that needs nothing else: no network, no other file."""

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from solverproof.files import write_text
from solverproof.reporting.html.page import document
from solverproof.reporting.specifications import PageSpec
from solverproof.reporting.study_page.cells import cells
from solverproof.reporting.study_page.claim import claim
from solverproof.reporting.study_page.explorer import FORM, models
from solverproof.reporting.study_page.figures import figures
from solverproof.reporting.study_page.jobs import graph, listed
from solverproof.reporting.study_page.made import read
from solverproof.reporting.study_page.markup import data, link, points, section
from solverproof.reporting.study_page.record import configuration, made_with
from solverproof.reporting.study_page.tables import failed, longest, tables

TITLE = "Is your Neural ODE solver-proof?"
HEADINGS = {
    "claim": "What it found",
    "explorer": "Explorer",
    "figures": "Figures",
    "tables": "Tables",
    "cells": "Every cell",
    "failed": "Failed and untrained",
    "configuration": "Configuration",
    "made-with": "Versions, machine, seeds",
    "jobs": "Jobs",
}
ASSETS = ("body.html", "study.css", "page.js", "explorer.js")


def write(
    spec: PageSpec,
    tabulated: Sequence[Path],
    runs: Sequence[Path],
    drawn: Sequence[Path],
    explorations: Sequence[Path],
    out: Path,
) -> None:
    """Write the page of a study.

    Args:
        spec: captions, the number of jobs of every rule, and what counts as valid.
        tabulated: CSV files, and Markdown files of those that have one for readers.
        runs: `run.json` of every cell; its history is read from beside it.
        drawn: the figures, as PNG, and the animation, as GIF.
        explorations: what the rule `explore` computed.
        out: the page.
    """
    made = read(tabulated, runs)
    content = {
        "claim": claim(made),
        "explorer": FORM,
        "figures": figures(drawn, spec.captions),
        "tables": tables(made, spec.captions),
        "cells": cells(made),
        "failed": failed(made),
        "configuration": configuration(made.cells),
        "made-with": made_with(made.cells, spec),
        "jobs": graph(spec.jobs) + listed(spec.jobs, made.cells),
    }
    embedded = {"explorer-data": models(made, explorations), "evaluations-data": longest(made)}
    markup, style, *scripts = map(_asset, ASSETS)
    # Names and reasons are escaped; the hash keeps whatever else gets in from being run.
    code = "\n".join(scripts)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    inside = Template(markup).substitute(
        title=TITLE,
        contents=points(link(f"#{name}", HEADINGS[name]) for name in content),
        body="\n".join(section(name, HEADINGS[name], part) for name, part in content.items()),
        data="\n".join(data(name, value) for name, value in embedded.items()),
        code=f"<script>{code}</script>",
    )
    policy = f"; img-src data:; script-src 'sha256-{digest}'"
    write_text(out, document(TITLE, inside, style=style, policy=policy))


def _asset(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
