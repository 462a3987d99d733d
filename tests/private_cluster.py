"""A scheduler of one's own on this machine, for any user, all of it in one temporary folder."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import psutil

# a user's shell may not look for daemons there
PATH = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))


def wait_until(condition: Callable[[], object], seconds: float = 300) -> None:
    """Return as soon as a condition holds.

    Raises:
        TimeoutError: if it does not in time.
    """
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s in vain")
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def clean_up_when_terminated() -> None:
    """Let SIGTERM do what Ctrl-C does; it would leave a cluster behind.

    Ctrl-C does it, too, where a shell's background job would ignore it, and its children with it.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)


@dataclass(frozen=True)
class PrivateCluster:
    """What private clusters share; one of a scheduler says what it needs and how it starts.

    Attributes:
        folder: all its files.
        environment: the variables with which programs find it.
        daemons: its running daemons by name; a node's has the name of the node.
    """

    programs: ClassVar[tuple[str, ...]]
    packages: ClassVar[tuple[str, ...]]  # of Debian
    home: ClassVar[str]  # the variable that names this cluster, in its daemons and jobs as well

    folder: Path
    environment: dict[str, str]
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @staticmethod
    def variables(folder: Path) -> dict[str, str]:
        """What is different in the environment of a cluster in a folder."""
        raise NotImplementedError

    def set_up(self) -> None:
        """Write the files, start the daemons and wait until jobs are taken."""
        raise NotImplementedError

    @classmethod
    def require_programs(cls) -> None:
        """Look for all that it needs.

        Raises:
            FileNotFoundError: if a program is not installed; its message is one line.
        """
        for program in cls.programs:
            if not shutil.which(program, path=PATH):
                raise FileNotFoundError(
                    f"no program '{program}'; on Debian: apt-get install {' '.join(cls.packages)}"
                )

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """A cluster that is up within the block and gone without trace after it.

        Raises:
            FileNotFoundError: see `require_programs`.
        """
        cls.require_programs()
        folder = Path(
            tempfile.mkdtemp(prefix="cluster-")
        )  # short, because a socket's path may have 107 characters
        cluster = cls(folder, {**os.environ, "PATH": PATH, **cls.variables(folder)})
        try:
            cluster.set_up()
            yield cluster
        finally:
            cluster.stop()
            shutil.rmtree(folder)

    @classmethod
    def main(cls) -> None:
        """Run the command of this process's arguments in a cluster."""
        try:
            cls.require_programs()
        except FileNotFoundError as error:
            sys.exit(str(error))
        clean_up_when_terminated()
        with cls.running() as private:
            sys.exit(subprocess.run(sys.argv[1:], env=private.environment, check=False).returncode)

    def run(self, *command: str) -> str:
        """Run one of the scheduler's commands and return what it prints."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def start(self, name: str, *command: str) -> None:
        """Start a daemon as a child of this process."""
        with (self.folder / f"{name}.out").open("wb") as out:
            self.daemons[name] = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Stop all that runs, jobs as well."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for daemon in self.daemons.values():
            daemon.wait()

    def processes(self, **variables: str) -> list[psutil.Process]:
        """Processes of this cluster and its jobs that have all the given environment variables."""
        wanted = {self.home: self.environment[self.home], **variables}.items()
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if wanted <= process.environ().items() and process.pid != os.getpid():
                    found.append(process)
        return found
