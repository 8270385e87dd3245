"""Stop strings in a stream: what could be the start of one is held back until it is decided."""

from __future__ import annotations

from collections.abc import Sequence


class StopFilter:
    """Lets text through up to the first of some strings, which is left out."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """What can be said now; afterwards `stopped` tells whether a stop string has come."""
        if self.stopped:
            return ""
        self._held += text
        found = [at for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            said, self._held = self._held[: min(found)], ""
            return said
        keep = max(map(self._overlap, self._stops), default=0)
        cut = len(self._held) - keep
        said, self._held = self._held[:cut], self._held[cut:]
        return said

    def rest(self) -> str:
        """What was held back, once no more text comes."""
        said, self._held = self._held, ""
        return said

    def _overlap(self, stop: str) -> int:
        """Characters at the end of what is held that may begin `stop`."""
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if self._held.endswith(stop[:n])), 0)
