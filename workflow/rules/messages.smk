# Snakemake (9.27) drops what an executor says of a job that failed when the job is a group, such as
# the scheduler's reason to refuse it. Tell it before the error.
from snakemake.jobs import GroupJob

group_error = GroupJob.log_error
GroupJob.log_error = lambda group, msg=None, **kwargs: (
    msg and logger.error(msg),
    group_error(group, msg, **kwargs),
)
