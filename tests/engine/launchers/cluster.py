"""A real Slurm of two nodes on loopback, with its own keys, ports and folders.

Debian's packages slurmctld, slurmd, slurm-client and munge are enough; with slurmdbd and
mariadb-server-core it keeps accounts for `sacct` too.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel", "srun")
ACCOUNTING = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacctmgr", "sacct")
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

_CONF = """
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={dir}/munge.socket,cred_expire=5
MpiDefault=none
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=500
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=0,batch_sched_delay=0
SlurmdParameters=config_overrides
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool.%n
SlurmctldPidFile={dir}/slurmctld.pid
SlurmdPidFile={dir}/slurmd.%n.pid
SlurmctldLogFile={dir}/slurmctld.log
SlurmdLogFile={dir}/slurmd.%n.log
SlurmctldPort={ports[0]}
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
KillWait=5
MinJobAge={keep}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
{accounting}
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[1]} CPUs=4 RealMemory=8000
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[2]} CPUs=4 RealMemory=8000
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=high Nodes=n[1-2] MaxTime=INFINITE State=UP PriorityTier=10
"""

_DBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={dir}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports[3]}
SlurmUser={user}
LogFile={dir}/slurmdbd.log
PidFile={dir}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=slurm
"""


def missing(accounting: bool = False) -> list[str]:
    """What of Slurm's programs is not on this machine."""
    names = (*NEEDED, *(ACCOUNTING if accounting else ()))
    return [name for name in names if shutil.which(name, path=_PATH) is None]


def until(condition: Callable[[], object], seconds: float = 120, why: str = "") -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, why or "it never came true"
        time.sleep(0.05)


@dataclass
class Cluster:
    """`variables` make Slurm's commands speak to it."""

    folder: Path
    accounting: bool = False
    keep_seconds: int = 600
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.variables = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": _PATH}

    def start(self) -> None:
        (self.folder / "state").mkdir(parents=True)
        self.folder.chmod(0o755)
        ports = _free_ports(4)
        values = {"dir": self.folder, "user": getpass.getuser(), "ports": ports}
        storage = (
            f"AccountingStorageType=accounting_storage/slurmdbd\n"
            f"AccountingStorageHost=127.0.0.1\nAccountingStoragePort={ports[3]}\n"
            f"AccountingStoragePass={self.folder}/munge.socket"
            if self.accounting
            else "AccountingStorageType=accounting_storage/none"
        )
        conf = _CONF.format(accounting=storage, keep=self.keep_seconds, **values)
        (self.folder / "slurm.conf").write_text(conf)
        self._munge()
        if self.accounting:
            self._accounts(_DBD_CONF.format(**values))
        self._run("slurmctld", "-D")
        until(lambda: "is UP" in self.ask("scontrol", "ping"), why=self.log("slurmctld.log"))
        for node in ("n1", "n2"):
            (self.folder / f"spool.{node}").mkdir()
            self._run("slurmd", "-D", "-N", node)
        idle = ("sinfo", "-h", "-N", "-p", "main", "-t", "idle", "-o", "%N")
        until(lambda: len(set(self.ask(*idle).split())) == 2, why=self.log("slurmctld.log"))

    def stop(self) -> None:
        self.ask("scancel", f"--user={getpass.getuser()}")
        for process in reversed(self.processes):
            process.terminate()
        deadline = time.monotonic() + 3  # a database closes slowly; nobody needs it any more
        for process in reversed(self.processes):
            try:
                process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask(self, *command: str) -> str:
        """What a command prints; empty when it fails."""
        done = subprocess.run(
            command,
            env={**os.environ, **self.variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout if done.returncode == 0 else ""

    def jobs(self) -> list[str]:
        """The ids of all jobs that the controller knows."""
        return self.ask("squeue", "-h", "-t", "all", "-o", "%i").split()

    def state(self, job: str) -> str:
        return self.ask("squeue", "-h", "-t", "all", "-j", job, "-o", "%T").strip()

    def log(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""

    def _run(self, program: str, *arguments: str, **more: str) -> None:
        path = shutil.which(program, path=_PATH)
        assert path is not None
        with (self.folder / f"{program}.out").open("ab") as out:
            self.processes.append(
                subprocess.Popen(
                    [path, *arguments],
                    env={**os.environ, **self.variables, **more},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                )
            )

    def _munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._run(
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={self.folder}/munge.socket",
            f"--pid-file={self.folder}/munged.pid",
            f"--log-file={self.folder}/munged.log",
            f"--seed-file={self.folder}/munge.seed",
        )
        until((self.folder / "munge.socket").exists, why=self.log("munged.log"))

    def _accounts(self, conf: str) -> None:
        base = self.folder / "db"
        user = getpass.getuser()
        subprocess.run(
            [
                "mariadb-install-db",
                "--no-defaults",
                f"--datadir={base}",
                f"--user={user}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ],
            env={**os.environ, "PATH": _PATH},
            capture_output=True,
            check=True,
        )
        sock = str(self.folder / "db.socket")
        self._run(
            "mariadbd",
            "--no-defaults",
            f"--datadir={base}",
            f"--user={user}",
            f"--socket={sock}",
            "--skip-networking",
            "--innodb-flush-log-at-trx-commit=0",
        )
        until(Path(sock).exists, why=self.log("mariadbd.out"))
        path = self.folder / "slurmdbd.conf"
        path.write_text(conf)
        path.chmod(0o600)
        self._run("slurmdbd", "-D", MYSQL_UNIX_PORT=sock)
        add = ("sacctmgr", "-i", "add", "cluster", "tests")
        until(lambda: self.ask(*add) or "tests" in self.ask("sacctmgr", "-n", "show", "cluster"))


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
