"""The figures of a study, as parts of its page."""

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

from solverproof.reporting.study_page.markup import tag, text
from solverproof.reporting.titles import figure_title


def figures(files: Sequence[Path], captions: Mapping[str, str]) -> str:
    """Every figure with its caption; each can be linked to by the name of its file."""
    return "".join(_figure(file, captions.get(file.stem, "")) for file in sorted(files))


def _figure(file: Path, caption: str) -> str:
    title = ", ".join(filter(None, figure_title(file.stem)))
    image = _image(file, f"{title}. {caption}")
    button = tag("button", image, type="button", aria_label=f"Enlarge {title}. {caption}")
    words = tag("strong", text(title)), f" {text(caption)}"
    return tag("figure", button, tag("figcaption", *words), id=file.stem)


def _image(file: Path, alt: str) -> str:
    """The image; for those who asked for less motion, the first frame of one that moves."""
    kind = file.suffix[1:]
    image = tag("img", src=_source(kind, file.read_bytes()), alt=alt, loading="lazy")
    if kind != "gif":
        return image
    with Image.open(file) as frames:
        frames.save(still := BytesIO(), "png")
    calm = {"srcset": _source("png", still.getvalue()), "media": "(prefers-reduced-motion: reduce)"}
    return tag("picture", tag("source", **calm), image)


def _source(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
