"""Alerts: each way out makes foreign text harmless, and nothing is told twice."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.mistral.faults import Answer, FaultServer
from tui.domain.errors import PapertuneError, UsageError
from tui.domain.job import Job, JobStatus
from tui.domain.usage import Amount, LedgerRow
from tui.jobs.alerts import (
    TRIAL,
    Alert,
    Alerts,
    alert_of,
    ended,
    low_budget,
    osc,
    post_slack,
    run_command,
)
from tui.jobs.diagnose import Diagnosis, Remedy
from tui.jobs.watch import WatchEvent
from tui.mistral import Ledger
from tui.settings import Credentials
from tui.settings.alerts import AlertSettings

HOSTILE = 'x\x1b]52;c;QQ==\x07;y\n"; rm -rf ~; $(touch pwned) `id` <@channel> & [/foo]'
JOB = Job("job-00001", "m", JobStatus.SUCCESS, 0, 0, fine_tuned_model="ft:m")


def alert(**changes: Any) -> Alert:
    return Alert(**{"kind": "done", "title": "Job", "text": HOSTILE, "job": "j", **changes})


def test_a_desktop_notice_is_one_sequence_without_foreign_controls() -> None:
    for code in ("9", "777"):
        said = osc(alert(title=HOSTILE), code, {})
        assert said.startswith(f"\x1b]{code};") and said.endswith("\a")
        inside = said[2:-1]
        assert "\x1b" not in inside and "\a" not in inside and "\n" not in inside
    assert said.count(";") == 3  # 777, notify, title, text


def test_in_tmux_the_sequence_is_wrapped_and_its_escapes_doubled() -> None:
    said = osc(TRIAL, "9", {"TMUX": "/tmp/tmux-0/default,1,0"})
    assert said.startswith("\x1bPtmux;\x1b\x1b]9;") and said.endswith("\a\x1b\\")


async def test_a_command_gets_everything_in_its_environment_and_no_shell_reads_it(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    program = (
        "import os,sys; open(sys.argv[1],'w').write("
        "os.environ['PAPERTUNE_ALERT_KIND']+'|'+os.environ['PAPERTUNE_ALERT_TEXT']+'|'+sys.argv[2])"
    )
    await run_command([sys.executable, "-c", program, str(out), "$HOME;`id`"], alert())
    kind, text, argument = out.read_text().split("|")
    assert (kind, argument) == ("done", "$HOME;`id`")
    assert "$(touch pwned)" in text and "\x1b" not in text and "\n" not in text


async def test_a_command_that_fails_hangs_or_is_none_is_told() -> None:
    with pytest.raises(PapertuneError, match="ended with 3"):
        await run_command([sys.executable, "-c", "raise SystemExit(3)"], TRIAL)
    with pytest.raises(PapertuneError, match="cannot be run"):
        await run_command(["/nowhere/no-such-program"], TRIAL)
    with pytest.raises(PapertuneError, match="took longer"):
        await run_command([sys.executable, "-c", "import time; time.sleep(60)"], TRIAL, seconds=0.1)
    with pytest.raises(UsageError):
        await run_command([], TRIAL)


async def test_slack_gets_text_in_which_nothing_is_a_mention(api: FaultServer) -> None:
    api.on("POST", "/hook", Answer(200, b"ok", {"content-type": "text/plain"}))
    await post_slack(f"{api.url}/hook", alert())
    [sent] = api.asked("POST", "/hook")
    assert "&lt;@channel&gt; &amp;" in sent.json()["text"]


async def test_a_webhook_that_fails_never_shows_its_address(api: FaultServer) -> None:
    api.on("POST", "/hook/very-secret", Answer(403, b"invalid_token", {}))
    with pytest.raises(PapertuneError, match="403: invalid_token") as refused:
        await post_slack(f"{api.url}/hook/very-secret", TRIAL)
    with pytest.raises(PapertuneError) as away:
        await post_slack("https://127.0.0.1:9/very-secret", TRIAL, seconds=2)
    with pytest.raises(UsageError) as unsafe:
        await post_slack("http://example.org/very-secret", TRIAL)
    for error in (refused, away, unsafe):
        assert "very-secret" not in str(error.value)


async def test_the_first_app_tells_slack_and_the_command_and_every_app_rings(
    tmp_path: Path,
) -> None:
    ran = tmp_path / "ran"
    program = f"open({str(ran)!r}, 'a').write('x')"
    settings = AlertSettings(command=(sys.executable, "-c", program), osc="")
    claimed: set[tuple[str, str]] = set()

    def claim(job: str, kind: str) -> bool:
        new = (job, kind) not in claimed
        claimed.add((job, kind))
        return new

    heard: list[str] = []
    for _ in range(2):
        alerts = Alerts(lambda: settings, Credentials(tmp_path, {}), claim)
        await alerts.send(alert(), heard.append)
    assert heard == ["\a", "\a"] and ran.read_text() == "x"


async def test_what_is_not_wanted_is_not_told(tmp_path: Path) -> None:
    alerts = Alerts(
        lambda: AlertSettings(on=("failed",)), Credentials(tmp_path, {}), lambda _a, _b: True
    )
    assert await alerts.send(alert(), lambda _: None) == []
    assert [sent.channel for sent in await alerts.send(alert(kind="failed"), lambda _: None)] == [
        "bell",
        "osc",
    ]


async def test_a_way_that_fails_is_in_the_answer(tmp_path: Path) -> None:
    alerts = Alerts(lambda: AlertSettings(slack=True), Credentials(tmp_path, {}), lambda *_: True)
    [_, _, slack] = await alerts.send(alert(), None)
    assert "No Slack webhook is stored" in slack.wrong


def test_ends_and_grave_diagnoses_are_alerts_and_notes_are_not() -> None:
    assert ended(JOB) == Alert("done", "Job job-0000 is done", "ft:m", "job-00001", "ft:m", "done")
    assert ended(Job("j", "m", JobStatus.CANCELLED, 0, 0)) is None
    failed = ended(Job("j", "m", JobStatus.FAILED, 0, 0), "no memory")
    assert failed is not None and failed.kind == "failed" and "no memory" in failed.line
    found = Diagnosis("overfitting", "warning", "Worse.", 9, 6, Remedy.KEEP, "keep checkpoint 6")
    told = alert_of(WatchEvent("warning", 0.0, JOB, diagnosis=found))
    assert told is not None and told.code == "overfitting:6" and "keep checkpoint 6" in told.line
    note = Diagnosis("too-few-steps", "note", "More.", 9)
    assert alert_of(WatchEvent("warning", 0.0, JOB, diagnosis=note)) is None


def test_a_month_that_runs_low_is_told_at_two_marks(tmp_path: Path) -> None:
    import time

    ledger = Ledger(tmp_path / "usage.jsonl")
    month = Amount.parse("1gpuh")
    assert low_budget(ledger, month) is None and low_budget(ledger, None) is None

    def use(hours: float) -> None:
        ledger.record(
            LedgerRow(time.time(), "local", "m", "training", "w", device_seconds=3600 * hours)
        )

    use(0.95)
    low = low_budget(ledger, month)
    assert low is not None and "nearly used up" in low.title
    use(0.1)
    gone = low_budget(ledger, month)
    assert gone is not None and gone.code != low.code
