"""A SLURM cluster of one node on this machine: its daemons, their configuration and their state in one folder."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["missing", "one_node"]

DAEMONS = ("munged", "slurmctld", "slurmd")
CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=batch_sched_delay=1,sched_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} CPUs=2 RealMemory=2000
PartitionName=low Nodes=ALL Default=YES State=UP PriorityTier=1 GraceTime=60
PartitionName=high Nodes=ALL State=UP PriorityTier=10 PreemptMode=OFF
"""
"""Jobs in ``high`` preempt those in ``low``, which get a minute's notice."""


def missing() -> str:
    """Say why no cluster can be started here; empty if one can."""
    found = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))
    absent = [name for name in (*DAEMONS, "sbatch") if shutil.which(name, path=found) is None]
    if absent:
        return f"SLURM is not installed ({', '.join(absent)}); Debian has it in slurm-wlm and munge"
    return "" if os.getuid() == 0 else "slurmd starts jobs as root only"


@contextmanager
def one_node(folder: Path) -> Iterator[dict[str, str]]:
    """Run a cluster of one node with two processors, and give the environment of its commands."""
    (folder / "munge").mkdir(mode=0o700)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge" / "key").write_bytes(os.urandom(128))
    (folder / "munge" / "key").chmod(0o600)
    text = CONFIGURATION.format(host=socket.gethostname(), folder=folder, controller=_port(), node=_port())
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    environment = {**os.environ, "PATH": path, "SLURM_CONF": str(folder / "slurm.conf")}
    options = {option: str(folder / "munge" / option) for option in ("key", "socket", "pid", "log", "seed")}
    files = [
        f"--{name}={options[option]}"
        for name, option in zip(("key-file", "socket", "pid-file", "log-file", "seed-file"), options, strict=True)
    ]
    commands = [["munged", "--foreground", "--force", *files], ["slurmctld", "-D", "-c"], ["slurmd", "-D", "-c"]]
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            with (folder / f"{command[0]}.out").open("wb") as output:
                daemons.append(subprocess.Popen(command, env=environment, stdout=output, stderr=output))
            time.sleep(2)
        _wait_until_idle(environment)
        yield environment
    finally:
        subprocess.run(["scancel", "--user=root"], env=environment, check=False)
        time.sleep(2)
        for daemon in reversed(daemons):
            daemon.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                daemon.wait(20)
            daemon.kill()


def _wait_until_idle(environment: dict[str, str]) -> None:
    deadline = time.monotonic() + 60
    command = ["sinfo", "--noheader", "--format=%t", "--partition=low"]
    while True:
        told = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if told.stdout.strip() == "idle":
            return
        assert time.monotonic() < deadline, f"the cluster does not start: {told.stdout}{told.stderr}"
        time.sleep(1)


def _port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])
