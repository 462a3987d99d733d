"""As much of PBS as a profile needs.

Called as qsub, qstat or qdel, it runs jobs on this machine at once. A job is a folder of its number
under FAKE_PBS, with the options it was sent with and, in the end, its exit status.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

JOBS = Path(os.environ["FAKE_PBS"])
RUN = 'sh "$1"; code=$?; echo $code > "$2.new" && mv "$2.new" "$2"'


def qsub(*arguments: str) -> str:
    """Start the script that comes last."""
    *options, script = arguments
    number = len(list(JOBS.iterdir())) + 1
    job = JOBS / f"{number}.fake"
    job.mkdir()
    (job / "options").write_text("\n".join(options), encoding="utf-8")
    with (job / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", RUN, "sh", script, job / "exit"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (job / "pid").write_text(str(process.pid), encoding="utf-8")
    return job.name


def qstat(*arguments: str) -> str:
    """What is known of a job."""
    code = JOBS / arguments[-1] / "exit"
    if not code.exists():
        return f"Job Id: {arguments[-1]}\n    job_state = R"
    status = code.read_text(encoding="utf-8").strip()
    return f"Job Id: {arguments[-1]}\n    job_state = F\n    Exit_status = {status}"


def qdel(*numbers: str) -> str:
    """Kill jobs."""
    for number in numbers:
        os.killpg(int((JOBS / number / "pid").read_text(encoding="utf-8")), signal.SIGKILL)
        (JOBS / number / "exit").write_text("271", encoding="utf-8")
    return ""


if __name__ == "__main__":
    print({"qsub": qsub, "qstat": qstat, "qdel": qdel}[Path(sys.argv[0]).name](*sys.argv[1:]))
