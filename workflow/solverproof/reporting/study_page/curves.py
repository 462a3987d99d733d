"""Small curves as SVG, which take their colours from the page."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from solverproof.reporting.html.wording import number
from solverproof.reporting.study_page.markup import tag, text

WIDTH, HEIGHT, LEFT, BOTTOM = 280, 120, 44, 18
POINTS = 80  # of a curve at most


def history(rows: pd.DataFrame) -> str:
    """Loss and accuracy (or error) of every seed during training."""
    measures = [name for name in ("loss", "accuracy", "error") if rows[name].notna().any()]
    return tag("div", *(_curve(rows, name) for name in measures), class_="curves")


def _curve(rows: pd.DataFrame, measure: str) -> str:
    lines = {
        int(str(seed)): _thinned(group["iteration"].to_numpy(float), group[measure].to_numpy(float))
        for seed, group in rows.groupby("seed")
    }
    values = np.concatenate([line[:, 1] for line in lines.values()])
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    first, last = rows["iteration"].min(), rows["iteration"].max()
    return tag(
        "svg",
        *_axes(measure, (low, high), (first, last)),
        *(_line(line, (low, high), (first, last)) for line in lines.values()),
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="img",
        aria_label=_told(measure, lines),
    )


def _thinned(iterations: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means of neighbours, shape (points, 2)."""
    parts = np.array_split(np.stack([iterations, values], axis=1), min(POINTS, len(iterations)))
    return np.array([part.mean(axis=0) for part in parts])


def _line(line: np.ndarray, values: tuple[float, float], iterations: tuple[float, float]) -> str:
    x = LEFT + (WIDTH - LEFT - 6) * _share(line[:, 0], *iterations)
    y = HEIGHT - BOTTOM - (HEIGHT - BOTTOM - 18) * _share(line[:, 1], *values)
    finite = np.isfinite(y)
    places = " ".join(f"{a:.0f},{b:.0f}" for a, b in zip(x[finite], y[finite], strict=True))
    return tag("polyline", points=places)


def _share(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (values - low) / (high - low) if high > low else np.full_like(values, 0.5)


def _axes(
    measure: str, values: tuple[float, float], iterations: tuple[float, float]
) -> Sequence[str]:
    bottom = HEIGHT - BOTTOM
    ends = [(values[0], bottom), (values[1], 22)]
    return [
        tag("path", d=f"M{LEFT},18V{bottom}H{WIDTH - 6}", class_="axis"),
        tag("text", text(f"{measure} on the batch"), x=LEFT, y=11),
        *(
            tag("text", text(number(value)), x=LEFT - 4, y=f"{y:.0f}", class_="end")
            for value, y in ends
        ),
        tag("text", text(f"iteration {iterations[1]:,}"), x=WIDTH - 6, y=HEIGHT - 4, class_="end"),
    ]


def _told(measure: str, lines: Mapping[int, np.ndarray]) -> str:
    told = [
        f"seed {seed} from {number(line[0, 1])} to {number(line[-1, 1])}"
        for seed, line in lines.items()
    ]
    return f"{measure} during training: {', '.join(told)}"
