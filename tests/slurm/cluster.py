r"""A private Slurm of two nodes.

    python -m tests.slurm.cluster snakemake --workflow-profile profiles/slurm \
        --configfile config/smoke.yaml

starts it, runs the command in it, and takes it away again. It needs Slurm's daemons and clients and
munge. Its nodes are this machine under two names; its GPUs are mock GPUs.
"""

import contextlib
import secrets
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.private_cluster import PATH, PrivateCluster, free_ports, wait_until

NODES = ("n1", "n2")
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
MUNGE = {
    "socket": "socket",
    "key-file": "key",
    "pid-file": "pid",
    "log-file": "log",
    "seed-file": "seed",
}
# Snakemake's Slurm plugin clears SLURM_CONF before it calls srun inside a job
SRUN = '#!/bin/sh\nSLURM_CONF="{folder}/slurm.conf" exec "{srun}" "$@"\n'


@dataclass(frozen=True)
class Job:
    """What Slurm reports of a job: memory with its unit, and the time it may take."""

    id: str
    state: str
    node: str
    memory: str
    limit: str


class Slurm(PrivateCluster):
    """A private Slurm."""

    programs = (
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
    packages = ("slurmctld", "slurmd", "slurm-client", "munge")
    home = "SLURM_CONF"

    @staticmethod
    def variables(folder: Path) -> dict[str, str]:
        return {"PATH": f"{folder}/bin:{PATH}", "SLURM_CONF": f"{folder}/slurm.conf"}

    def set_up(self) -> None:
        _write_files(self.folder)
        options = [f"--{option}={self.folder}/munge.{suffix}" for option, suffix in MUNGE.items()]
        self.start("munged", "munged", "--foreground", "--force", *options)
        wait_until((self.folder / "munge.socket").exists)
        self.start("slurmctld", "slurmctld", "-D", "-i", "-c")
        wait_until(self._answers)
        for name in NODES:
            self.start_node(name)

    def jobs(self, *, states: str = "all") -> list[Job]:
        """Jobs in the order of submission."""
        listing = self.run(
            "squeue", "--noheader", "--sort=i", f"--states={states}", "--format=%i|%T|%N|%m|%l"
        )
        return [Job(*line.split("|")) for line in listing.splitlines()]

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

    def _answers(self) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            return "UP" in self.run("scontrol", "ping")
        return False

    def _node_state(self, name: str) -> str:
        return self.run("sinfo", "--noheader", f"--nodes={name}", "--format=%T").strip()


def _write_files(folder: Path) -> None:
    folder.chmod(0o755)  # munged wants its socket to be reachable
    for name in ("state", "bin", *(f"spool-{node}" for node in NODES)):
        (folder / name).mkdir()
    user, host = psutil.Process().username(), socket.gethostname().partition(".")[0]
    controller, *ports = free_ports(1 + len(NODES))
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
    (folder / "bin" / "srun").write_text(
        SRUN.format(folder=folder, srun=shutil.which("srun", path=PATH)), encoding="utf-8"
    )
    (folder / "bin" / "srun").chmod(0o755)


if __name__ == "__main__":
    Slurm.main()
