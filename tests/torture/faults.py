"""What can go wrong with a study, and how its command meets it.

A fault is a function of a finished study, of which something has still to be made, of an older
study and of a generator of random numbers. It runs the command once, disturbed or after something
was spoilt, and returns what was done in words, and the outcome.
"""

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

from tests.workflow.conftest import Outcome

TASKS = ("sphere2", "other")
COMMAND = ("--cores", "2", "tables")
HANDED_OVER = ("data", "models", "evaluations", "references", "audits", "tables", "checksums")
SECONDS = 40  # about as long as the command takes


def run(study, disturb=None, *, before=(), limits=()):
    """Run the command; `disturb` is called with its process."""

    def prepare():
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
        for kind, value in limits:
            resource.setrlimit(kind, (value, value))

    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            [*before, *study.command(*COMMAND)],
            cwd=study.folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=prepare,
        )
        try:
            if disturb:
                disturb(process)
            code = process.wait(900)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        output.seek(0)
        return Outcome(code, output.read())


# Files that are not what their jobs wrote


def truncated(content, random):
    return content[: random.randrange(len(content))]


def flipped(content, random):
    place = random.randrange(len(content))
    return (
        content[:place] + bytes([content[place] ^ 1 << random.randrange(8)]) + content[place + 1 :]
    )


def swapped(content, random):
    places = range(len(content) - 1)
    i = random.choice([i for i in places if content[i] != content[i + 1]])
    return content[:i] + content[i + 1 : i + 2] + content[i : i + 1] + content[i + 2 :]


def emptied(content, random):
    del content, random
    return b""


def _altered(change):
    def fault(study, older, random):
        del older
        file = _any_file(study, random)
        return _replaced(study, file, change(file.read_bytes(), random), random)

    return fault


def deleted(study, older, random):
    file = _any_file(study, random)
    del older
    file.unlink()
    return _relative(study, file), run(study)


def of_another_task(study, older, random):
    """A file of the other task in the place of one."""
    del older
    pairs = [(f, g) for f in _files(study) if (g := _of_other_task(f)).is_file()]
    file, other = random.choice(pairs)
    return _replaced(study, file, other.read_bytes(), random)


def of_an_older_run(study, older, random):
    """A file of a study with another protocol in the place of one."""
    pairs = [(f, older.folder / f.relative_to(study.folder)) for f in _files(study)]
    file, other = random.choice([(f, g) for f, g in pairs if g.is_file()])
    return _replaced(study, file, other.read_bytes(), random)


def _files(study):
    found = [f for name in HANDED_OVER for f in (study.results / name).rglob("*") if f.is_file()]
    return sorted(found)


def _any_file(study, random):
    """Any file that jobs hand over, each folder as often as another."""
    files = _files(study)
    folder = random.choice(sorted({f.relative_to(study.results).parts[0] for f in files}))
    return random.choice([f for f in files if f.relative_to(study.results).parts[0] == folder])


def _of_other_task(file):
    first, second = TASKS
    parts = [second if p == first else first if p == second else p for p in file.parts]
    name = (
        parts[-1].replace(first, second) if first in parts[-1] else parts[-1].replace(second, first)
    )
    return Path(*parts[:-1], name)


def _replaced(study, file, content, random):
    """Replace a file's content, at its own time or now, and run the command."""
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_bytes(content)
    kept = random.random() < 0.5
    if kept:
        os.utime(file, ns=times)
    return f"{_relative(study, file)}{', time kept' if kept else ''}", run(study)


def _relative(study, file):
    return str(file.relative_to(study.results))


def other_times(study, older, random):
    """Files get times of years before or after, as when a clock jumps."""
    del older
    files = random.sample(_files(study), k=random.randint(1, 8))
    for file in files:
        then = time.time() + random.uniform(-3e8, 3e8)
        os.utime(file, (then, then))
    return f"{len(files)} files", run(study)


# Processes that are stopped


def _signalled(number, whom):
    def fault(study, older, random):
        del older
        delay = random.uniform(0, SECONDS)

        def disturb(process):
            end = time.monotonic() + delay
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
                if process.poll() is not None:
                    return
                if whom == "all":
                    os.killpg(process.pid, number)
                elif whom == "Snakemake":
                    process.send_signal(number)
                elif jobs := _jobs(process):
                    random.choice(jobs).send_signal(number)

        outcome = run(study, disturb)
        return f"after {delay:.0f} s", outcome

    return fault


def _jobs(process):
    """Processes of jobs, once there is one; none if the run ends before."""
    while process.poll() is None:
        found = []
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "--spec" in " ".join(child.cmdline()) and "-c" not in child.cmdline()[1:2]:
                    found.append(child)
        if found:
            return found
        time.sleep(0.05)
    return []


def two_at_once(study, older, random):
    """A second Snakemake in the same folder, some time after the first."""
    del older
    delay = random.uniform(0, SECONDS / 2)
    second = []

    def disturb(_):
        time.sleep(delay)
        second.append(run(study))

    first = run(study, disturb)
    # the second is refused, or it comes when all is done
    assert first.code == 0, first.text
    assert second[0].code == 0 or "LockException" in second[0].text, second[0].text
    return f"after {delay:.0f} s", first


# Resources that run out


def full_disk(study, older, random):
    """No file may become larger than some bytes."""
    del older
    size = int(10 ** random.uniform(1.5, 5))
    return f"files of at most {size} bytes", run(study, limits=[(resource.RLIMIT_FSIZE, size)])


def small_disk(study, older, random):
    """A folder of the results lies on a small file system, which is gone afterwards."""
    del older
    folder, size = random.choice(["models", "evaluations", "tables"]), random.choice([0, 4, 8, 32])
    place = study.results / folder
    place.mkdir(parents=True, exist_ok=True)
    mount = f"mount -t tmpfs -o size={max(size, 1) * 4}k,nr_inodes=64 none '{place}'"
    first = run(study, before=_in_namespace(mount))
    return f"{folder}, {max(size, 1) * 4} kB", first if first.code else run(study)


def read_only(study, older, random):
    """The results, or a folder in them, can be read only."""
    del older
    folder = random.choice(["", "models", "evaluations", "tables", "logs", "checksums"])
    place = study.results / folder
    place.mkdir(parents=True, exist_ok=True)
    mount = f"mount --bind '{place}' '{place}' && mount -o remount,ro,bind '{place}'"
    return folder or "results", run(study, before=_in_namespace(mount))


def _in_namespace(mount):
    return ("unshare", "--map-root-user", "--mount", "sh", "-c", f'{mount} && exec "$@"', "-")


def little_memory(study, older, random):
    """Processes get some address space only."""
    del older
    size = int(2 ** random.uniform(28, 32))
    return f"{size / 2**20:.0f} MiB", run(study, limits=[(resource.RLIMIT_AS, size)])


# Another environment


def another_version(study, older, random):
    """Another version of a package is installed than that which trained."""
    del older
    name = random.choice(["torch", "torchdiffeq", "numpy", "safetensors"])
    # found first, because Python looks into the working directory
    info = study.folder / f"{name}-99.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0\n", "utf-8")
    return name, run(study)


SIGNALS = {"SIGKILL": signal.SIGKILL, "SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}
FAULTS = {
    **{f"{name} to {whom}": _signalled(number, whom) for name, number in SIGNALS.items()
       for whom in ("Snakemake", "a job", "all")},
    "a file truncated": _altered(truncated),
    "a bit flipped": _altered(flipped),
    "two bytes swapped": _altered(swapped),
    "a file emptied": _altered(emptied),
    "a file deleted": deleted,
    "a file of another task": of_another_task,
    "a file of an older run": of_an_older_run,
    "other file times": other_times,
    "two Snakemakes": two_at_once,
    "a limit of file sizes": full_disk,
    "a small disk": small_disk,
    "a read-only folder": read_only,
    "little memory": little_memory,
    "another package version": another_version,
}  # fmt: skip
