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
# A picture has time; there is no one event that says that nothing more will be drawn.
LOADING_SECONDS = 2.5
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
                await asyncio.sleep(LOADING_SECONDS)
                await pilot.pause()
            app.save_screenshot(f"{name}.svg", path=str(TARGET))
            print(TARGET / f"{name}.svg")


if __name__ == "__main__":
    TARGET.mkdir(parents=True, exist_ok=True)
    asyncio.run(draw(Path(sys.argv[1])))
