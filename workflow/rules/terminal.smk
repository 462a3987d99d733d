# A short picture of a run in place of Snakemake's own lines, unless these are asked for with -p,
# --verbose or --quiet; its log file keeps them all. At the end, what is there.
from snakemake.common import NOTHING_TO_BE_DONE_MSG

from solverproof.terminal import picture
from solverproof.terminal.failures import dated_ahead
from solverproof.terminal.headlines import headlines
from solverproof.terminal.progress import Job, Progress

OUTPUT = workflow.output_settings
BRIEF = not (OUTPUT.dryrun or OUTPUT.printshellcmds or OUTPUT.verbose or OUTPUT.quiet)
SECONDS = {
    "train": of_cell(needs.training_seconds),
    "adapt": of_cell(needs.training_seconds),
    "evaluate": of_cell(needs.evaluation_seconds),
    "audit": of_cell(needs.audit_seconds),
}


def expected(job):
    work = SECONDS[job.rule.name](job.wildcards) if job.rule.name in SECONDS else 0
    start = 0 if job.is_norun else needs.START_SECONDS
    return Job(" ".join([job.rule.name, *job.wildcards]), start + work)


def made():
    paths = (Path(path) for job in workflow.dag.jobs for path in job.output)
    return headlines(Path(RESULTS), paths)


def tell_what_is_made(record):
    if record.msg == NOTHING_TO_BE_DONE_MSG and not OUTPUT.dryrun:
        record.msg = "\n".join([record.msg, *made()])
        tell_leftovers(rules.all.input)
    return True


logger.addFilter(tell_what_is_made)
if BRIEF:
    picture.shorten(logger)


onstart:
    gc.enable()  # which workarounds.smk has disabled
    if BRIEF:
        jobs = {job.jobid: expected(job) for job in workflow.dag.needrun_jobs()}
        picture.show(logger, Progress(jobs))


# Snakemake keeps one of each of these for a whole workflow.
onsuccess:
    logger.info("\n".join([*picture.hide(logger), *made()]))
    tell_leftovers(rules.all.input)


onerror:
    inputs = (Path(path) for job in workflow.dag.jobs for path in job.input)
    told = dated_ahead(Path(RESULTS), inputs) or [
        "The same command goes on from here."
    ]
    logger.info("\n".join([*picture.hide(logger), *told]))
    tell_leftovers(rules.all.input)
