"""Dry runs of Snakemake in processes forked from a server that has loaded it.

Loading Snakemake takes half of a dry run, of which the tests make some two hundred.
"""

import multiprocessing
import os
import sys

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["snakemake.cli", "snakemake.report.html_reporter", "numpy", "jsonschema"]
)


def dry_run(arguments, folder, out, timeout):
    """The exit code of a call in a folder, whose output goes to a file.

    Raises:
        TimeoutError: if it takes more seconds than that.
    """
    told = (arguments, str(folder), str(out), dict(os.environ))
    process = _FORKS.Process(target=_call, args=told)
    process.start()
    process.join(timeout)
    if process.is_alive():
        process.kill()
        raise TimeoutError(f"snakemake {' '.join(arguments)} took more than {timeout} s")
    return process.exitcode


def _call(arguments, folder, out, environment):
    file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # As `python -m snakemake` has them, without what pytest added.
    installed = (sys.prefix, sys.base_prefix)
    sys.path[:] = ["", *(path for path in sys.path if path.startswith(installed))]
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main  # not at the top: pytest need not load it

    main(arguments)
