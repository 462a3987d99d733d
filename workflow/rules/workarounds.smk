# Faults of Snakemake 9 that cost much here, each with what it costs. Look at them again with 10.
import atexit
import gc
import getpass
import os
import threading
from logging import FileHandler

from snakemake import __version__ as SNAKEMAKE
from snakemake.jobs import GroupJob
from snakemake.scheduling.job_scheduler import JobScheduler

if SNAKEMAKE.startswith("9."):
    # The graph of jobs lives to the end, and Python looks through it for garbage while it grows and
    # once more at exit. A dry run of 10,009 jobs takes 17.7 s with that and 11.6 s without.
    # https://github.com/snakemake/snakemake/blob/v9.27.1/src/snakemake/dag.py
    gc.disable()  # until the run starts: terminal.smk
    atexit.register(gc.freeze)

    # What an executor says of a job that failed, such as the scheduler's reason to refuse it, is
    # lost when the job is a group: the user sees "Error in group" alone. Log it before the error.
    # https://github.com/snakemake/snakemake/blob/v9.27.1/src/snakemake/jobs.py
    group_error = GroupJob.log_error
    GroupJob.log_error = lambda group, msg=None, **kwargs: (
        msg and logger.error(msg),
        group_error(group, msg, **kwargs),
    )

    # Its log file is written in the encoding of the locale, and a line with a letter that this
    # lacks, as of a folder, is lost to a traceback on the screen. Escape the letter.
    # https://github.com/snakemake/snakemake/blob/v9.27.1/src/snakemake/logging.py
    for handler in logger.handlers:
        if isinstance(handler, FileHandler):
            handler.stream.reconfigure(errors="backslashreplace")

    # It logs the name of its user, and ends in a traceback where there is none, as in containers.
    # https://github.com/snakemake/snakemake/blob/v9.27.1/src/snakemake/workflow.py
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ.update(LOGNAME=str(os.getuid()))

    # Whenever it has looked for jobs to run it looks again a second later, and again after that. So
    # every job that ends adds one more look per second to the end of the run: after a hundred jobs
    # they took half a core. Wait for one look at a time; longer spans are rare enough.
    # https://github.com/snakemake/snakemake/pull/3744
    waiting = threading.Lock()
    look_later = JobScheduler._schedule_reevalutation

    def look_again(scheduler, seconds):
        if seconds > 1:
            look_later(scheduler, seconds)
            return

        def look():
            waiting.release()
            scheduler._open_jobs.release()

        if waiting.acquire(blocking=False):
            timer = threading.Timer(seconds, look)
            timer.daemon = True  # nothing to wait for at exit
            timer.start()

    JobScheduler._schedule_reevalutation = look_again
