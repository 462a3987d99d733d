"""Errors that are meant for the user to read."""

import difflib
from collections.abc import Iterable

Key = tuple[str | int, ...]
"""A place in a configuration, as a path of keys and list positions."""

Problem = tuple[Key, str]
"""An error in a definition: its place, and what is wrong and what to write instead, on one line."""


LONGEST = 80  # characters of a value in a message
LONGEST_LINE = 1500  # of a message; four files with two checksums each take a thousand


class InputError(Exception):
    """Something the user gave is wrong: a key, a file, a folder on a full disk.

    Its message is a single line: what is wrong, where (file, key), and what to write instead.
    The command line prints it without a traceback and exits with status 2.
    """

    def __str__(self) -> str:
        """The message, on one line that can be read, whatever names it quotes."""
        line = " ".join(super().__str__().splitlines())
        if len(line) <= LONGEST_LINE:
            return line
        half = LONGEST_LINE // 2  # the place stands at its beginning, the remedy at its end
        return f"{line[:half]} ... {line[-half:]}"


def shown(value: object) -> str:
    """A value as messages quote it: no longer than a glance, and without line breaks."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """`; did you mean 'euler'?` at the end of a message; nothing where no known name is like it.

    Names that are equally like it are all named.
    """
    text = str(name)[:100]
    alike = {
        each: difflib.SequenceMatcher(None, each, text).ratio()
        for each in difflib.get_close_matches(text, map(str, known))
    }
    nearest = [repr(each) for each, ratio in alike.items() if ratio == max(alike.values())]
    return f"; did you mean {' or '.join(nearest)}?" if nearest else ""
