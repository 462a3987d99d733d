"""The folder of a report."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from solverproof.auditing.result import AuditResult
from solverproof.errors import InputError
from solverproof.files import write_text
from solverproof.reporting.figures.convergence import figure as convergence
from solverproof.reporting.figures.convergence import observed_orders, refined
from solverproof.reporting.figures.pareto import figure as pareto
from solverproof.reporting.figures.style import house_style
from solverproof.reporting.figures.style import save as save_figure
from solverproof.reporting.html.markdown import markdown
from solverproof.reporting.html.page import page
from solverproof.reporting.html.record import record, written
from solverproof.reporting.html.report import CAPTIONS, card, report
from solverproof.reporting.html.wording import accepted_share, candidates, missed

PAGE = "report.html"
FILES = ("audit.json", "samples.csv", "card.md", "report.md", PAGE)


def save(result: AuditResult, folder: Path) -> None:
    """Write the report of an audit: a page, Markdown, a card, data and figures.

    All is drawn and written in a hidden folder first, then moved into place, the page last. So an
    interruption leaves what was there, and other files in the folder are left alone.

    Args:
        result: of the audit.
        folder: made if it is not there; an earlier report in it is replaced.

    Raises:
        InputError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".report.", dir=folder) as staging:
            _write(result, Path(staging))
            _move(Path(staging), folder)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{folder}: {reason}; make room, or choose another folder") from error


def _write(result: AuditResult, folder: Path) -> None:
    drawings = dict(_draw(result, folder))
    blocks = report(result, list(drawings))
    write_text(folder / "audit.json", written(record(result)))
    write_text(folder / "samples.csv", _samples(result))
    write_text(folder / "card.md", markdown(card(result)))
    write_text(folder / "report.md", markdown(blocks))
    write_text(folder / PAGE, page(blocks, drawings))


def _move(staging: Path, folder: Path) -> None:
    """Put the files in place, and take away figures of an earlier report that this one lacks."""
    figures = [f"{name}.{form}" for name in CAPTIONS for form in ("pdf", "png")]
    for name in (*figures, *FILES):
        if (staging / name).exists():
            (staging / name).replace(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)


def _draw(result: AuditResult, folder: Path) -> Iterator[tuple[str, str]]:
    """Draw the figures there are into files; each one's name, and itself as SVG for the page."""
    with house_style():
        for name, figure in _figures(result):
            svg = _svg(figure, name)
            save_figure(figure, [folder / f"{name}.pdf", folder / f"{name}.png"])
            yield name, svg


def _figures(result: AuditResult) -> Iterator[tuple[str, Figure]]:
    rows = candidates(result)
    if rows:
        yield "pareto", pareto(rows, accepted_share(result), missed(result))
    if refined(rows):
        orders = observed_orders(result.measures, result.deployed.solver.name)
        yield "convergence", convergence(rows, orders)


def _svg(figure: Figure, name: str) -> str:
    """The figure without a background, and without the date and random names."""
    drawn = BytesIO()
    undated = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(drawn, format="svg", transparent=True, metadata=undated)
    return drawn.getvalue().decode()


def _samples(result: AuditResult) -> str:
    """One line for each sample: full precision, `true` and `false`, nothing where not a number."""
    table = pd.DataFrame(result.per_sample)
    for name in table.select_dtypes(bool):
        table[name] = table[name].map({True: "true", False: "false"})
    return table.to_csv(index_label="sample", lineterminator="\n")
