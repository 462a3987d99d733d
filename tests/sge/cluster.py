r"""A private Grid Engine of one node.

    python -m tests.sge.cluster snakemake --workflow-profile profiles/sge \
        --configfile config/smoke.yaml

starts it, runs the command in it, and takes it away again. It needs Debian's Grid Engine, and that
this machine's name leads to an address of its own.
"""

import contextlib
import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.private_cluster import PrivateCluster, free_ports, wait_until

PROGRAMS = Path("/usr/lib/gridengine")
SHARED = Path("/usr/share/gridengine")
SLOTS = 4
BOOTSTRAP = """
admin_user none
default_domain none
ignore_fqdn false
spooling_method classic
spooling_lib libspoolc
spooling_params {spool}
binary_path {programs}
qmaster_spool_dir {folder}/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
"""
# root may send jobs as well; a job that ended is in the accounts at once
CONFIGURATION = {
    "min_uid": "0",
    "min_gid": "0",
    "administrator_mail": "none",
    "load_report_time": "00:00:01",
    "reporting_params": "accounting=true reporting=false flush_time=00:00:01",
}
SCHEDULER = {
    "schedule_interval": "0:0:1",
    "flush_submit_sec": "1",
    "flush_finish_sec": "1",
    "job_load_adjustments": "NONE",
}
QUEUE = {
    "qname": "main",
    "hostlist": "localhost",
    "slots": str(SLOTS),
    "pe_list": "smp",
    "load_thresholds": "NONE",  # jobs run on a busy machine, too
}


@dataclass(frozen=True)
class Job:
    """What the accounts hold of a run of a job; one that was rescheduled had several.

    Attributes:
        id: its number.
        slots: how many it had.
        failed: why it failed, for Grid Engine; `0` if it did not, `25` if it was rescheduled.
        exit_status: of its script.
        limits: the resources that it asked for.
    """

    id: str
    slots: int
    failed: str
    exit_status: str
    limits: dict[str, str]


class GridEngine(PrivateCluster):
    """A private Grid Engine."""

    programs = (*(str(PROGRAMS / name) for name in ("sge_qmaster", "sge_execd")), "qsub", "qacct")
    packages = ("gridengine-master", "gridengine-exec", "gridengine-client")
    home = "SGE_ROOT"

    @staticmethod
    def variables(folder: Path) -> dict[str, str]:
        master, node = map(str, free_ports(2))
        return {
            "SGE_ROOT": str(folder),
            "SGE_CELL": "default",
            "SGE_QMASTER_PORT": master,
            "SGE_EXECD_PORT": node,
            "SGE_ND": "1",  # daemons stay children of this process
        }

    def set_up(self) -> None:
        self._write_files()
        self.start("master", str(PROGRAMS / "sge_qmaster"))
        wait_until(lambda: self._answers("qconf", "-sh"))
        self.run("qconf", "-as", "localhost")
        self.run("qconf", "-Ap", str(SHARED / "util/resources/pe/smp"))
        self._change("-Msconf", self.run("qconf", "-ssconf"), SCHEDULER)
        self._change("-Aq", self.run("qconf", "-sq"), QUEUE)
        self.start("node", str(PROGRAMS / "sge_execd"))
        wait_until(lambda: "lx-amd64 " in self.run("qstat", "-f"))

    def jobs(self) -> list[Job]:
        """Runs of jobs that ended, in the order of submission."""
        if not (self.folder / "default/common/accounting").exists():
            return []
        found = [
            dict(re.findall(r"^(\w+) +(.*?) *$", text, re.MULTILINE))
            for text in self.run("qacct", "-j").split("=" * 62)
            if "jobnumber" in text
        ]
        jobs = [
            Job(
                id=job["jobnumber"],
                slots=int(job["slots"]),
                failed=job["failed"].partition(" ")[0],
                exit_status=job["exit_status"].partition(" ")[0],
                limits=dict(re.findall(r"(h_\w+)=(\w+)", job["category"])),
            )
            for job in found
        ]
        return sorted(jobs, key=lambda job: int(job.id))

    def _answers(self, *command: str) -> bool:
        with contextlib.suppress(subprocess.CalledProcessError):
            return bool(self.run(*command))
        return False

    def _write_files(self) -> None:
        common = self.folder / "default" / "common"
        for folder in (common, self.folder / "node", self.folder / "qmaster" / "job_scripts"):
            folder.mkdir(parents=True)
        (self.folder / "util").symlink_to(SHARED / "util")
        spool = f"{common};{self.folder}/qmaster"
        (common / "bootstrap").write_text(
            BOOTSTRAP.format(folder=self.folder, programs=PROGRAMS, spool=spool), encoding="utf-8"
        )
        (common / "act_qmaster").write_text("localhost\n", encoding="utf-8")
        (common / "host_aliases").write_text(
            f"localhost {socket.gethostname()}\n", encoding="utf-8"
        )
        configuration = self.folder / "configuration"
        configuration.write_text(
            changed(
                (SHARED / "default-configuration").read_text(encoding="utf-8"),
                {**CONFIGURATION, "execd_spool_dir": f"{self.folder}/node"},
            ),
            encoding="utf-8",
        )
        self.run(str(PROGRAMS / "spoolinit"), "classic", "libspoolc", spool, "init")
        for kind, source in {
            "configuration": configuration,
            "complexes": SHARED / "util/resources/centry",
            "usersets": SHARED / "util/resources/usersets",
            "managers": psutil.Process().username(),
        }.items():
            self.run(str(PROGRAMS / "spooldefaults"), kind, str(source))

    def _change(self, option: str, text: str, values: dict[str, str]) -> None:
        file = self.folder / "change"
        file.write_text(changed(text, values), encoding="utf-8")
        self.run("qconf", option, str(file))


def changed(text: str, values: dict[str, str]) -> str:
    """One of Grid Engine's configurations with other values."""
    for name, value in values.items():
        text = re.sub(rf"^{name}\s.*$", f"{name} {value}", text, flags=re.MULTILINE)
    return text


if __name__ == "__main__":
    GridEngine.main()
