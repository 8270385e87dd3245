"""The one boundary where foreign text becomes safe text.

Paper text, model output, file names and error messages may hold escape sequences, bidirectional
overrides and other control characters. Ingest drops them (`clean`); where a person must see that
something was there, they are made visible (`visible`).
"""

from __future__ import annotations

import re
import unicodedata

# C0 without tab and newline, DEL, C1; then bidirectional controls and other invisible format
# characters that reorder or hide what is read; then lone surrogates, which no encoder takes.
_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_INVISIBLE = "\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
_UNSAFE = re.compile(f"[{_CONTROL}{_INVISIBLE}\ud800-\udfff]")
_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]", re.DOTALL
)


def clean(text: str) -> str:
    """Text without control characters and escape sequences, in NFC, with `\\n` line ends."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unicodedata.normalize("NFC", _UNSAFE.sub("", _ANSI.sub("", text)))


def visible(text: str) -> str:
    """Text on one line with every unsafe character written out, e.g. `\\x1b` or `\\u202e`."""

    def escape(match: re.Match[str]) -> str:
        code = ord(match[0])
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"

    return _UNSAFE.sub(escape, text).replace("\n", "\\n").replace("\t", "\\t")


def shorten(text: str, width: int) -> str:
    """Text on one line, at most `width` characters, ending in `…` where it was cut."""
    flat = " ".join(clean(text).split())
    return flat if len(flat) <= width else flat[: max(0, width - 1)].rstrip() + "…"
