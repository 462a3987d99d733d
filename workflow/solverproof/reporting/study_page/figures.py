"""The figures of a study, as parts of its page."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

from solverproof.reporting.study_page.markup import tag, text


def figures(files: Sequence[Path], captions: Mapping[str, str]) -> str:
    """Every figure with its caption; each can be linked to by the name of its file."""
    return "".join(_figure(file, captions.get(file.stem, "")) for file in sorted(files))


def _figure(file: Path, caption: str) -> str:
    title = title_of(file.stem)
    image = tag(
        "img",
        src=f"data:image/png;base64,{base64.b64encode(file.read_bytes()).decode()}",
        alt=f"{title}. {caption}",
        loading="lazy",
    ).removesuffix("</img>")
    button = tag("button", image, type="button", aria_label=f"Enlarge {title}. {caption}")
    words = tag("strong", text(title)), f" {text(caption)}"
    return tag("figure", button, tag("figcaption", *words), id=file.stem)


def title_of(name: str) -> str:
    """`figure4_accuracy_sphere2` as `Figure 4: accuracy sphere2`."""
    number, _, rest = name.partition("_")
    return f"Figure {number.removeprefix('figure')}: {rest.replace('_', ' ')}"
