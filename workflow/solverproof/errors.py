"""What is meant for a person to read."""

Key = tuple[str | int, ...]
"""Where something stands in a configuration, as a path of keys and list positions."""

Problem = tuple[Key, str]
"""What is wrong with a definition: where in it, and what to write instead, in one line."""


class InputError(Exception):
    """Something the user gave is wrong: a key, a file, a folder on a full disk.

    Its message is a single line: what is wrong, where (file, key), and what to write instead.
    The command line prints it without a traceback and exits with status 2.
    """
