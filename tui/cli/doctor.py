"""`papertune doctor`: what works, what does not, how to mend it."""

from __future__ import annotations

from pathlib import Path

import click

from tui.cli.output import chosen_workspace, common, emit, finish, show


@click.command("doctor")
@common
def command(workspace: Path | None, as_json: bool) -> None:
    """Look at everything the main job stands on; changes nothing."""
    from tui.doctor import examine
    from tui.services import Services

    chosen = chosen_workspace(workspace)
    findings = list(examine(lambda: Services.open(chosen, create=False)))
    ok = all(finding.ok or finding.optional for finding in findings)
    if as_json:
        emit({"ok": ok, "checks": findings})
    else:
        for finding in findings:
            mark = "✓" if finding.ok else ("–" if finding.optional else "✗")
            show(f"{mark} {finding.name:<15} {finding.detail}")
            if finding.remedy:
                show(f"    {finding.remedy}")
    finish(ok)
