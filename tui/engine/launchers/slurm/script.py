"""The batch script: what a person would have written, with every choice in sight.

Two guards stand at its head. A script that was overtaken by a later attempt ends at once, and of
two jobs from one script, submitted again because the first reply was lost, one works: the link
that the first makes bears its number. A job that Slurm requeues keeps its number and goes on.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from tui.domain.errors import PapertuneError
from tui.engine.launchers.command import MODULE, WorkerCommand
from tui.engine.settings import Slurm
from tui.text import visible

ATTEMPT = "attempt"
# Stands in a chat worker's options for the address of the node that it will run on.
NODE = "@node@"
_ADDRESS_OF = "scontrol -o show node \"{}\" | sed -n 's/.* NodeAddr=\\([^ ]*\\).*/\\1/p'"
# Slurm may send the signal up to a minute early; a checkpoint must then still fit in the rest.
_WARNING_SECONDS = 120
_UNFIT = '"\\\n\r\0'


@dataclass(frozen=True, slots=True)
class Batch:
    """One submission: `name` and `comment` find it again when the reply was lost."""

    title: str
    name: str
    comment: str
    attempt: int
    folder: Path
    log: Path


def claim(folder: Path, attempt: int) -> Path:
    """The link whose target is the id of the Slurm job that works on an attempt."""
    return folder / f"claim-{attempt}"


def training_script(batch: Batch, slurm: Slurm, command: WorkerCommand) -> str:
    """The script of a training job; raises PapertuneError for a path that sbatch cannot take."""
    processes = max(1, slurm.gpus_per_node)
    several = slurm.nodes > 1
    lines = [
        *_head(batch, slurm, slurm.nodes),
        "#SBATCH --requeue",
        # A batch shell would die of the signal before its steps could save anything.
        f"#SBATCH --signal={'' if several else 'B:'}TERM@{_WARNING_SECONDS}",
        "",
        *_guards(batch, "spec.json"),
        *_environment(command, max(1, slurm.cpus // processes)),
        *slurm.setup,
        "",
    ]
    run = [shlex.quote(part) for part in command.local(processes)]
    if not several or not command.python:
        return "\n".join([*lines, f'exec {" ".join(run)} "$job"', ""])
    torchrun = " ".join(shlex.quote(part) for part in command.torchrun(processes))
    return "\n".join(
        [
            *lines,
            'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
            f"MASTER_ADDR=$({_ADDRESS_OF.format('$first')})",
            "MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))",
            "export MASTER_ADDR MASTER_PORT",
            "# One agent per node, which starts a worker for each of its GPUs.",
            f"srun --ntasks-per-node=1 --cpus-per-task={slurm.cpus} --kill-on-bad-exit=1 \\",
            "  bash -c '"
            'exec "$@" --nnodes="$SLURM_JOB_NUM_NODES" --node-rank="$SLURM_NODEID" '
            f'--master-addr="$MASTER_ADDR" --master-port="$MASTER_PORT" -m {MODULE} "$0"\' \\',
            f'  "$job" {torchrun}',
            "",
        ]
    )


def chat_script(batch: Batch, slurm: Slurm, command: tuple[str, ...], worker: WorkerCommand) -> str:
    """The script of a chat worker: one node, not requeued, since its caller is there to ask."""
    run = " ".join(shlex.quote(part) for part in command)
    return "\n".join(
        [
            *_head(batch, slurm, 1),
            "#SBATCH --no-requeue",
            "",
            *_guards(batch, "chat.json"),
            *_environment(worker, slurm.cpus),
            *slurm.setup,
            "",
            "# The worker listens where this node's own address is, and asks for a key.",
            f"address=$({_ADDRESS_OF.format('$SLURMD_NODENAME')})",
            f'sed -i "s/{NODE}/${{address:-$(hostname)}}/" "$job/chat.json"',
            f'exec {run} "$job"',
            "",
        ]
    )


def _head(batch: Batch, slurm: Slurm, nodes: int) -> list[str]:
    options = {
        "job-name": batch.name,
        "comment": batch.comment,
        "chdir": _path(batch.folder),
        "output": _path(batch.log, pattern=True),
        "open-mode": "append",
        "partition": slurm.partition,
        "account": slurm.account,
        "nodes": str(nodes),
        "ntasks-per-node": "1",
        "cpus-per-task": str(slurm.cpus),
        "gres": f"gpu:{slurm.gpus}" if slurm.gpus_per_node else "",
        "mem": slurm.memory,
        "time": slurm.time,
    }
    return [
        "#!/bin/bash",
        f"# {visible(batch.title)}",
        "# Written by papertune's engine and submitted with: sbatch --parsable",
        *(f"#SBATCH --{name}={value}" for name, value in options.items() if value),
        *(f"#SBATCH {directive}" for directive in slurm.directives),
    ]


def _guards(batch: Batch, spec: str) -> list[str]:
    link = claim(batch.folder, batch.attempt).name
    return [
        f"job={shlex.quote(str(batch.folder))}",
        f'if [ ! -f "$job/{spec}" ]; then',
        '  echo "$job cannot be seen from $(hostname): PAPERTUNE_DATA_DIR must be shared." >&2',
        "  exit 78",
        "fi",
        f'[ "$(cat "$job/{ATTEMPT}")" = {batch.attempt} ] || {{ echo "Overtaken."; exit 0; }}',
        f'ln -s "$SLURM_JOB_ID" "$job/{link}" 2>/dev/null ||',
        f'  [ "$(readlink "$job/{link}")" = "$SLURM_JOB_ID" ] ||',
        '  { echo "Another Slurm job has this one."; exit 0; }',
        "",
    ]


def _environment(command: WorkerCommand, threads: int) -> list[str]:
    values = {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1", **command.environment}
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def _path(path: Path, *, pattern: bool = False) -> str:
    """A path as `#SBATCH` lines take it; in a file name `%` begins a pattern."""
    text = str(path)
    if any(sign in text for sign in _UNFIT):
        raise PapertuneError(
            f"Slurm cannot take the path {path}: it has quotes, backslashes or line breaks.",
            "Choose another PAPERTUNE_DATA_DIR.",
        )
    text = text.replace("%", "%%") if pattern else text
    return f'"{text}"' if " " in text else text
