"""Circumstances in which a study may run: folders, users, locales, other workflows, versions.

A circumstance is a function of a fresh checkout and of the Python that runs it. It returns the
calls that make the tables, each of which is given once in full and once more as a dry run. One
that the machine cannot provide raises `MissingError`.
"""

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.portability.environments import MissingError

OVERLAY = """
select: {tasks: [sphere2], solvers: [euler], seeds: [0-1]}
steps: {sphere2: {euler: [2], rk4: null}}
tolerances: null
controlled: null
test: {ratios: [1, 0.5]}
tasks: {sphere2: {data: {train: 40, test: 20}, protocol: short}}
protocols: {short: {iterations: 20, batch: 20, learning_rate: 1.0e-3}}
figures: {flow: {task: sphere2, solver: euler, fine: 2, coarse: 2, seed: 0}}
"""
MADE = ("tables/evaluations.csv", "figures/figure4_accuracy_sphere2.pdf")
STRANGE = "a folder, it's $HOME; – 数 ü"
LOCALE = "de_DE.ISO-8859-1"
NOBODY, UNNAMED = 65534, 54321
MODULE = """
configfile: "../config/config.yaml"
configfile: "../tiny.yaml"
module study:
    snakefile: "../workflow/Snakefile"
    config: config
use rule * from study as study_*
"""


@dataclass(frozen=True)
class Call:
    """A call of Snakemake, and where its results come to lie."""

    folder: Path
    python: str = sys.executable
    options: tuple[str, ...] = ("--configfile", "tiny.yaml")
    results: str = "results"
    before: tuple[str, ...] = ()
    environment: dict[str, str | None] = field(default_factory=dict)
    """What differs from ours; None removes a variable."""

    def command(self, *more):
        made = [f"{self.results}/{path}" for path in MADE]
        snakemake = (self.python, "-m", "snakemake", "--cores", "2", *made)
        return [*self.before, *snakemake, *self.options, *more]

    def variables(self):
        changed = {**os.environ, **self.environment}
        return {name: value for name, value in changed.items() if value is not None}


def plain(checkout, python):
    """A checkout, run as it is meant."""
    return [Call(checkout, python)]


def strange_path(checkout, python):
    """A folder whose name has spaces, quotes, `$`, `;` and letters of several scripts, and one such
    for temporary files."""
    place = _moved(checkout, STRANGE)
    temporary = place.parent / f"tmp {STRANGE}"
    temporary.mkdir()
    return [Call(place, python, environment={"TMPDIR": str(temporary)})]


def strange_results(checkout, python):
    """Such a name for the folder of results."""
    with (checkout / "tiny.yaml").open("a", encoding="utf-8") as file:
        file.write(f'results: "{STRANGE}"\n')
    return [Call(checkout, python, results=STRANGE)]


def linked(checkout, python):
    """A link in the place of the checkout."""
    link = checkout.with_name("link")
    link.symlink_to(checkout)
    return [Call(link, python)]


def read_only_source(checkout, python):
    """Sources that can only be read, and `--directory`."""
    work = _working_folder(checkout)
    where = ("--snakefile", str(checkout / "Snakefile"), "--directory", str(work))
    configured = ("--configfile", str(work / "tiny.yaml"))
    place = shlex.quote(str(checkout))
    mount = f"mount --bind {place} {place} && mount -o remount,ro,bind {place}"
    call = Call(work, python, (*where, *configured), before=_in_namespace("--mount", mount))
    return [call]


def without_home(checkout, python):
    """No `HOME`."""
    return [Call(checkout, python, environment={"HOME": None})]


def home_not_writable(checkout, python):
    """A `HOME` that is not there and cannot be made, and `XDG_CACHE_HOME`, which Snakemake needs
    then."""
    return [Call(checkout, python, environment=_no_home(checkout))]


def unprivileged(checkout, python):
    """The user nobody, who has no `HOME` but `XDG_CACHE_HOME`, and owns the checkout alone."""
    return [replace(_as_user(NOBODY, checkout, python), environment=_no_home(checkout))]


def unnamed(checkout, python):
    """A user whom the machine does not know, as in containers, whose `HOME` is the checkout."""
    own = {"HOME": str(checkout), "USER": None, "LOGNAME": None}
    return [replace(_as_user(UNNAMED, checkout, python), environment=own)]


def c_locale(checkout, python):
    """`LC_ALL=C`, in a folder with letters that ASCII lacks."""
    return [Call(_moved(checkout, STRANGE), python, environment={"LC_ALL": "C"})]


def ascii_locale(checkout, python):
    """`LC_ALL=C`, of which Python makes ASCII, in a folder with letters that ASCII lacks."""
    strict = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    return [Call(_moved(checkout, STRANGE), python, environment=strict)]


def latin_locale(checkout, python):
    """A locale in Latin-1, in a folder with letters that it lacks."""
    if not shutil.which("localedef"):
        raise MissingError("there is no localedef")
    language, _, letters = LOCALE.partition(".")
    place = checkout.with_name("locales")
    place.mkdir()
    command = ["localedef", "-i", language, "-f", letters, str(place / LOCALE)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise MissingError(f"localedef does not know {LOCALE}")
    environment = {"LOCPATH": str(place), "LC_ALL": LOCALE, "LANG": LOCALE}
    return [Call(_moved(checkout, STRANGE), python, environment=environment)]


def offline(checkout, python):
    """No network at all, not even one to the machine itself."""
    return [Call(checkout, python, before=_in_namespace("--net", "true"))]


def as_a_module(checkout, python):
    """A module of another workflow, which lies elsewhere and has its own configuration."""
    own = checkout / "own"
    own.mkdir()
    (own / "Snakefile").write_text(MODULE, encoding="utf-8")
    return [Call(own, python, ())]


def two_at_once(checkout, python):
    """Two studies in one checkout at the same time, each with its own folder of results."""
    (checkout / "second.yaml").write_text(f"{OVERLAY}results: second\n", encoding="utf-8")
    second = Call(checkout, python, ("--configfile", "second.yaml"), "second")
    return [Call(checkout, python), second]


def _moved(checkout, name):
    return checkout.rename(checkout.with_name(name))


def _working_folder(checkout):
    work = checkout.with_name("work")
    shutil.copytree(checkout / "config", work / "config")
    shutil.copy(checkout / "tiny.yaml", work)
    return work


def _in_namespace(kind, first):
    command = ("unshare", "--map-root-user", kind, "sh", "-c", f'{first} && exec "$@"', "-")
    if not shutil.which("unshare") or subprocess.run([*command, "true"], check=False).returncode:
        raise MissingError(f"unshare {kind} is not allowed here")
    return command


def _as_user(number, checkout, python):
    if os.getuid() or not shutil.which("setpriv"):
        raise MissingError("it takes root, and setpriv, to become another user")
    become = ("setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups")
    if subprocess.run([*become, python, "-c", ""], capture_output=True, check=False).returncode:
        raise MissingError("that user may not read this Python")
    for path in (checkout, *checkout.rglob("*")):
        os.chown(path, number, number)
    return Call(checkout, python, before=become)


def _no_home(checkout):
    return {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": str(checkout / ".cache")}


CIRCUMSTANCES = {
    circumstance.__name__: circumstance
    for circumstance in (
        strange_path, strange_results, linked, read_only_source, without_home, home_not_writable,
        unprivileged, unnamed, c_locale, ascii_locale, latin_locale, offline, as_a_module,
        two_at_once,
    )
}  # fmt: skip
