"""The one exception that is meant for a person to read."""


class InputError(Exception):
    """Something the user gave is wrong: a key, a file, a folder that takes no more.

    Its message is a single line: what is wrong, where (file, key), and what to write instead.
    The command line prints it without a traceback and exits with status 2.
    """
