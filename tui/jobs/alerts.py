"""Telling people that a job ended or needs them, wherever they are.

What is told holds foreign text (names of models, words of an engine), so each way out makes it
harmless in its own manner: no control character reaches the terminal, no markup Slack, and a
command gets it in its environment, never on a command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from tui.domain.errors import PapertuneError, UsageError
from tui.domain.job import Job, JobStatus
from tui.domain.usage import Amount
from tui.jobs.watch import WatchEvent
from tui.mistral.budget import Allowance
from tui.mistral.ledger import Ledger
from tui.settings import Credentials
from tui.settings.alerts import SLACK, AlertSettings
from tui.text import shorten, visible

Channel = Literal["app", "bell", "osc", "slack", "command"]
CHANNELS: tuple[Channel, ...] = ("app", "bell", "osc", "slack", "command")
_SECONDS = 15.0
_LONGEST = 300
_LOW = 0.1
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to tell: `kind` is done, failed, diagnosis or budget; alike ones share a `code`."""

    kind: str
    title: str
    text: str
    job: str = ""
    model: str = ""
    code: str = ""

    @property
    def line(self) -> str:
        """All of it in one safe line."""
        return shorten(visible(f"{self.title}: {self.text}" if self.text else self.title), _LONGEST)


@dataclass(frozen=True, slots=True)
class Sent:
    """Which way an alert took, and what went wrong with it; empty when nothing did."""

    channel: Channel
    wrong: str = ""


TRIAL = Alert("diagnosis", "papertune", "This is how an alert looks.", code="trial")


class Alerts:
    """Sends alerts by the ways of the settings.

    `claim` says whether this app is the first to tell of something (`Boards.claim_alert`).
    """

    def __init__(
        self,
        settings: Callable[[], AlertSettings],
        credentials: Credentials,
        claim: Callable[[str, str], bool],
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._claim = claim

    def ways(self) -> tuple[Channel, ...]:
        """The ways that are switched on, beside the app itself."""
        chosen = self._settings()
        on: dict[Channel, bool] = {
            "bell": chosen.bell,
            "osc": bool(chosen.osc),
            "slack": chosen.slack,
            "command": bool(chosen.command),
        }
        return tuple(channel for channel, wanted in on.items() if wanted)

    async def send(self, alert: Alert, write: Callable[[str], None] | None) -> list[Sent]:
        """Tell it by every way that is on; `write` reaches the terminal where there is one.

        What rings here rings in every app; Slack and the command are used by the first app only.
        """
        if alert.kind not in self._settings().on:
            return []
        ways = self.ways()
        first = await asyncio.to_thread(self._claim, alert.job, alert.code or alert.kind)
        if not first:
            ways = tuple(way for way in ways if way in ("bell", "osc"))
        return [await self.by(way, alert, write) for way in ways]

    async def by(self, channel: Channel, alert: Alert, write: Callable[[str], None] | None) -> Sent:
        """Tell it by one way; what goes wrong is in the answer, never raised."""
        try:
            if channel in ("bell", "osc"):
                if write is None:
                    return Sent(channel, "There is no terminal here.")
                write("\a" if channel == "bell" else osc(alert, self._settings().osc or "9"))
            elif channel == "slack":
                await self._slack(alert)
            elif channel == "command":
                await run_command(self._settings().command, alert)
        except PapertuneError as error:
            return Sent(channel, str(error))
        return Sent(channel)

    async def _slack(self, alert: Alert) -> None:
        address = self._credentials.get(SLACK)
        if address is None:
            raise UsageError(
                "No Slack webhook is stored.",
                "Store its address in Settings, or: export PAPERTUNE_KEY_SLACK=https://…",
            )
        await post_slack(address.reveal(), alert)


def alert_of(event: WatchEvent) -> Alert | None:
    """What of a job's news is worth an alert."""
    job = event.job
    if job is None:
        return None
    if event.event == "done":
        return ended(job, event.message)
    if event.diagnosis is not None and event.diagnosis.severity != "note":
        found = event.diagnosis
        code = f"{found.code}:{found.best_step or ''}"
        text = f"{found.message} ({found.advice})" if found.advice else found.message
        return Alert("diagnosis", f"Job {job.id[:8]}", text, job.id, job.model, code)
    return None


def ended(job: Job, message: str = "") -> Alert | None:
    """The alert for a job that came to its end; cancelled ones were ended by somebody."""
    name = f"Job {job.id[:8]}"
    if job.status == JobStatus.SUCCESS:
        made = job.fine_tuned_model or ""
        return Alert("done", f"{name} is done", made, job.id, made, "done")
    if job.status in (JobStatus.FAILED, JobStatus.FAILED_VALIDATION):
        return Alert("failed", f"{name} failed", message, job.id, job.model, "failed")
    return None


def low_budget(ledger: Ledger, month: Amount | None) -> Alert | None:
    """The alert for a month whose budget is nearly or wholly used; told once at either mark."""
    left = Allowance(ledger, month=month).left()
    if month is None or left is None or left.value > _LOW * month.value:
        return None
    mark = "used up" if left.value <= 0 else "nearly used up"
    text = f"{max(0.0, left.value):.3g}{month.unit} of {month} is left."
    code = f"budget:{time.strftime('%Y-%m')}:{mark}"
    return Alert("budget", f"This month's budget is {mark}", text, job="month", code=code)


def osc(alert: Alert, code: str, environment: dict[str, str] | None = None) -> str:
    """The sequence that asks a terminal for a desktop notice.

    `9` is iTerm2's, which most terminals know, `777` that of urxvt and others. tmux passes neither
    on unless it is wrapped, and then only where `allow-passthrough` is on.
    """
    environment = dict(os.environ) if environment is None else environment
    line = alert.line.replace(";", ",")
    if code == "777":
        title = visible(alert.title).replace(";", ",")
        sequence = f"\x1b]777;notify;papertune: {title};{line}\a"
    else:
        sequence = f"\x1b]9;papertune: {line}\a"
    if environment.get("TMUX"):
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return sequence


async def post_slack(url: str, alert: Alert, *, seconds: float = _SECONDS) -> None:
    """Post to an incoming webhook; the address is never part of an error."""
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not safe or not parts.hostname:
        raise UsageError("The Slack webhook is no https address.", "Store it again in Settings.")
    import httpx2

    text = alert.line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    try:
        async with httpx2.AsyncClient(timeout=seconds, follow_redirects=False) as client:
            reply = await client.post(url, json={"text": text})
    except httpx2.HTTPError as error:
        raise PapertuneError(
            f"Slack could not be reached ({type(error).__name__}).", "Check the network."
        ) from None
    if reply.status_code != 200:
        said = shorten(visible(reply.text.strip()), 80)
        raise PapertuneError(
            f"Slack refused the alert ({reply.status_code}{': ' + said if said else ''}).",
            "Check the webhook, and store it again in Settings.",
        )


async def run_command(command: Sequence[str], alert: Alert, *, seconds: float = _SECONDS) -> None:
    """Run the user's program; what happened is in `PAPERTUNE_ALERT_*`, and no shell reads it."""
    if not command:
        raise UsageError("No command is set.", 'Set it: [alerts] command = ["notify-send", "…"]')
    told = {
        "KIND": alert.kind,
        "TITLE": alert.title,
        "TEXT": alert.text,
        "JOB": alert.job,
        "MODEL": alert.model,
        "LINE": alert.line,
    }
    environment = {f"PAPERTUNE_ALERT_{name}": visible(value) for name, value in told.items()}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise PapertuneError(
            f"The command {visible(command[0])} cannot be run: {error}.",
            "Check [alerts] command in config.toml.",
        ) from None
    try:
        code = await asyncio.wait_for(process.wait(), seconds)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise PapertuneError(
            f"The command {visible(command[0])} took longer than {seconds:.0f} s and was ended.",
            "Have it return at once; it may leave work to the background.",
        ) from None
    if code:
        raise PapertuneError(
            f"The command {visible(command[0])} ended with {code}.",
            "Run it by hand to see why.",
        )
