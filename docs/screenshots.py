"""Draw the README's pictures from a workspace in which the quickstart was run.

    python docs/screenshots.py WORKSPACE

The engine must run, so that jobs and models are listed. Writes `assets/screenshots/*.svg`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tui.app import PapertuneApp
from tui.services import Services

SIZE = (110, 32)
TARGET = Path(__file__).parent.parent / "assets" / "screenshots"
# What to press after the mode's key, so that there is something to see.
SCREENS: dict[str, tuple[str, ...]] = {
    "corpus": ("1", "enter"),
    "datasets": ("2",),
    "jobs": ("3",),
    "chat": ("4", "c", "enter"),
    "evaluation": ("5",),
}


async def draw(workspace: Path) -> None:
    app = PapertuneApp(Services.open(workspace, create=False), theme="papertune-dark")
    async with app.run_test(size=SIZE) as pilot:
        for name, keys in SCREENS.items():
            for key in keys:
                await pilot.press(key)
                await settled(app)
                await pilot.pause()
            app.save_screenshot(f"{name}.svg", path=str(TARGET))
            print(TARGET / f"{name}.svg")


async def settled(app: PapertuneApp) -> None:
    """Until what the key started has come to its end; following a job never does."""
    await asyncio.sleep(1.5)
    await asyncio.wait_for(
        app.workers.wait_for_complete([w for w in app.workers if w.group != "job"]), timeout=30
    )


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    asyncio.run(draw(Path(sys.argv[1])))
