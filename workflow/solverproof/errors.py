"""Errors that are meant for the user to read."""

Key = tuple[str | int, ...]
"""A place in a configuration, as a path of keys and list positions."""

Problem = tuple[Key, str]
"""An error in a definition: its place, and what is wrong and what to write instead, on one line."""


class InputError(Exception):
    """Something the user gave is wrong: a key, a file, a folder on a full disk.

    Its message is a single line: what is wrong, where (file, key), and what to write instead.
    The command line prints it without a traceback and exits with status 2.
    """
