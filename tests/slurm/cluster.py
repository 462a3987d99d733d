r"""A private Slurm of two nodes on this machine, for any user, all of it in one temporary folder.

    python tests/slurm/cluster.py snakemake --workflow-profile profiles/slurm \
        --configfile config/smoke.yaml

starts it, runs the command in it, and takes it away again. It needs Slurm's daemons and clients and
munge. Its nodes are this machine under two names; its GPUs are mock GPUs.
"""

import contextlib
import os
import secrets
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

import psutil

NODES = ("n1", "n2")
PROGRAMS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "squeue",
    "scancel",
    "scontrol",
    "sinfo",
    "srun",
)
PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
CONFIG = """
ClusterName=private
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
# no cgroups: they would need root and one kind of kernel
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
# no accounting: finished jobs stay visible in the queue instead
AccountingStorageType=accounting_storage/none
MinJobAge=3600
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
DefMemPerCPU=100
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdTimeout=10
ReturnToService=2
KillWait=2
# jobs come back only if they were sent with --requeue
JobRequeue=0
GresTypes=gpu
{nodes}
PartitionName=main Nodes=ALL Default=YES
"""
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} "
    "CPUs=4 RealMemory=16000 Gres=gpu:a100:2"
)
GRES = "Name=gpu Type=a100 File=/dev/null,/dev/zero\n"  # any character devices will do
# Snakemake's Slurm plugin clears SLURM_CONF before it calls srun inside a job
SRUN = '#!/bin/sh\nSLURM_CONF="{folder}/slurm.conf" exec "{srun}" "$@"\n'


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


@dataclass(frozen=True)
class Job:
    """What Slurm reports of a job: memory with its unit, and the time it may take."""

    id: str
    state: str
    node: str
    memory: str
    limit: str


@dataclass(frozen=True)
class Cluster:
    """A private Slurm.

    Attributes:
        folder: all its files.
        environment: the variables with which programs find it.
        daemons: its running daemons by name; a node's has the name of the node.
    """

    folder: Path
    environment: dict[str, str]
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, *command: str) -> str:
        """Run one of Slurm's commands and return what it prints."""
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout

    def jobs(self, *, states: str = "all") -> list[Job]:
        """Jobs in the order of submission."""
        listing = self.run(
            "squeue", "--noheader", "--sort=i", f"--states={states}", "--format=%i|%T|%N|%m|%l"
        )
        return [Job(*line.split("|")) for line in listing.splitlines()]

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

    def start_node(self, name: str) -> None:
        """Start a node and wait until it takes jobs."""
        self.start(name, "slurmd", "-D", "-c", "-N", name)
        wait_until(lambda: self._node_state(name) in {"idle", "mixed", "allocated"})

    def lose_node(self, name: str) -> None:
        """Stop a node and all that runs on it at once, as a power failure would.

        Slurm is then informed that the node is down.
        """
        tasks = self.processes(SLURMD_NODENAME=name)
        keepers = {
            parent for task in tasks for parent in task.parents() if parent.name() == "slurmstepd"
        }
        daemon = self.daemons.pop(name)
        # those first who would report the others' end
        for process in [daemon, *keepers, *tasks]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        daemon.wait()
        self.run("scontrol", "update", f"nodename={name}", "state=down", "reason=lost")

    def requeue(self, job: str) -> None:
        """Stop a job and send it back into the queue, as preemption does."""
        self.run("scontrol", "requeue", job)
        self.hurry(job)

    def hurry(self, job: str) -> None:
        """Once a job went back into the queue, let all that did start.

        Slurm would wait for two minutes.
        """
        wait_until(lambda: job in {waiting.id for waiting in self.jobs(states="PENDING")})
        for waiting in self.jobs(states="PENDING"):
            self.run("scontrol", "update", f"jobid={waiting.id}", "starttime=now")

    def processes(self, **variables: str) -> list[psutil.Process]:
        """Processes of this cluster and its jobs that have all the given environment variables."""
        wanted = {"SLURM_CONF": self.environment["SLURM_CONF"], **variables}.items()
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if wanted <= process.environ().items() and process.pid != os.getpid():
                    found.append(process)
        return found

    def _node_state(self, name: str) -> str:
        return self.run("sinfo", "--noheader", f"--nodes={name}", "--format=%T").strip()


def require_programs() -> None:
    """Look for all that a private Slurm needs.

    Raises:
        FileNotFoundError: if a program of Slurm or munge is not installed; its message is one line.
    """
    for program in PROGRAMS:
        if not shutil.which(program, path=_path()):
            raise FileNotFoundError(
                f"no program '{program}'; on Debian: apt-get install {' '.join(PACKAGES)}"
            )


def clean_up_when_terminated() -> None:
    """Let SIGTERM do what Ctrl-C does; it would leave a cluster behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _path() -> str:
    return os.pathsep.join(
        (os.environ["PATH"], "/usr/sbin")
    )  # where a user's shell may not look for daemons


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A private Slurm that is up within the block and gone without trace after it.

    Raises:
        FileNotFoundError: see `require_programs`.
    """
    require_programs()
    path = _path()
    folder = Path(
        tempfile.mkdtemp(prefix="slurm-")
    )  # short, because a socket's path may have 107 characters
    found = {"PATH": f"{folder}/bin{os.pathsep}{path}", "SLURM_CONF": f"{folder}/slurm.conf"}
    slurm = Cluster(folder, {**os.environ, **found})
    try:
        _write_files(folder, srun=str(shutil.which("srun", path=path)))
        _start(slurm)
        yield slurm
    finally:
        _stop(slurm)
        shutil.rmtree(folder)


def _write_files(folder: Path, *, srun: str) -> None:
    folder.chmod(0o755)  # munged wants its socket to be reachable
    for name in ("state", "bin", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir()
    user, host = psutil.Process().username(), socket.gethostname().partition(".")[0]
    controller, *ports = _free_ports(1 + len(NODES))
    nodes = [
        NODE.format(name=name, host=host, port=port)
        for name, port in zip(NODES, ports, strict=True)
    ]
    config = CONFIG.format(
        folder=folder, host=host, user=user, port=controller, nodes="\n".join(nodes)
    )
    (folder / "slurm.conf").write_text(config, encoding="utf-8")
    (folder / "gres.conf").write_text(GRES, encoding="utf-8")
    (folder / "cgroup.conf").touch()
    (folder / "munge.key").write_bytes(secrets.token_bytes(128))
    (folder / "munge.key").chmod(0o600)
    (folder / "bin" / "srun").write_text(SRUN.format(folder=folder, srun=srun), encoding="utf-8")
    (folder / "bin" / "srun").chmod(0o755)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _start(slurm: Cluster) -> None:
    files = {
        "socket": "socket",
        "key-file": "key",
        "pid-file": "pid",
        "log-file": "log",
        "seed-file": "seed",
    }
    options = [f"--{option}={slurm.folder}/munge.{suffix}" for option, suffix in files.items()]
    slurm.start("munged", "munged", "--foreground", "--force", *options)
    wait_until((slurm.folder / "munge.socket").exists)
    slurm.start("slurmctld", "slurmctld", "-D", "-i", "-c")
    wait_until(lambda: _answers(slurm))
    for name in NODES:
        slurm.start_node(name)


def _answers(slurm: Cluster) -> bool:
    with contextlib.suppress(subprocess.CalledProcessError):
        return "UP" in slurm.run("scontrol", "ping")
    return False


def _stop(slurm: Cluster) -> None:
    for process in slurm.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    for daemon in slurm.daemons.values():
        daemon.wait()


if __name__ == "__main__":
    try:
        require_programs()
    except FileNotFoundError as error:
        sys.exit(str(error))
    clean_up_when_terminated()
    with cluster() as private:
        sys.exit(subprocess.run(sys.argv[1:], env=private.environment, check=False).returncode)
