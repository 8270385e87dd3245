"""Stand-ins for models and chat, so that the server is tested without weights.

Run as a program it serves an engine with them, for the tests that kill it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from tui.domain.errors import MissingError
from tui.domain.example import Turn
from tui.engine.home import EngineHome
from tui.engine.server.assembly import join
from tui.engine.server.ports import EncoderFiles, ModelInfo, Piece, Sampling
from tui.engine.server.state import Engine
from tui.engine.settings import engine_settings
from tui.engine.supervisor.prepare import Trainable
from tui.formats.chat_template import ChatTemplate
from tui.formats.tokenizer import ModelTokenizer

BASE = "tiny-base"
TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
WORKER = [sys.executable, str(Path(__file__).with_name("stand_in_worker.py"))]


def tokenizer_json() -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return str(tokenizer.to_str())


class StandInLibrary:
    def __init__(self, home: EngineHome) -> None:
        self._home = home
        self._json = tokenizer_json()
        self._tokenizer = ModelTokenizer(self._json, ChatTemplate(TEMPLATE, "", "</s>"))

    def models(self) -> list[ModelInfo]:
        cards = [ModelInfo(BASE, 1_795_000_000, 4096, title="Tiny", license="Apache-2.0")]
        for card in sorted(self._home.models.glob("*/papertune.json")):
            value = json.loads(card.read_text())
            cards.append(
                ModelInfo(value["id"], 1_795_000_001, 4096, BASE, lineage=value["lineage"])
            )
        return cards

    def find(self, model_id: str) -> ModelInfo | None:
        return next((info for info in self.models() if info.id == model_id), None)

    def trainable(self, model_id: str) -> Trainable:
        if model_id != BASE:
            raise MissingError(f"{model_id} is not here.", f"papertune model pull {model_id}")
        defaults = {"learning_rate": 0.002, "batch_size": 2, "seq_len": 128}
        return Trainable(BASE, self._home.root, defaults)

    def encoder(self, model_id: str) -> EncoderFiles:
        raise MissingError(f"{model_id} is not here.", self.remedy(model_id))

    def remedy(self, model_id: str) -> str:
        return f"papertune model pull {model_id}"

    def tokenizer(self, model_id: str) -> ModelTokenizer:
        return self._tokenizer

    def tokenizer_json(self, model_id: str) -> str:
        return self._json

    def remove(self, model_id: str) -> None:
        (self._home.model(model_id) / "papertune.json").unlink()

    def catalogue(self) -> list[dict[str, Any]]:
        return [{"id": BASE, "pulled": True}]

    async def pull(self, model_id: str, source: str | None) -> AsyncIterator[dict[str, Any]]:
        yield {"event": "progress", "done": 1, "total": 2}
        if model_id != BASE:
            raise MissingError("There is no network.", "Connect this machine.")
        yield {"event": "done"}


class StandInVoice:
    """Says the prompt's words back; `closed` counts answers that were stopped on the way."""

    def __init__(self) -> None:
        self.closed = 0
        self.running: list[int] = []
        self.samplings: list[Sampling] = []
        self.prompts: list[str] = []
        self.endless = False
        self.broken_after: int | None = None

    async def generate(
        self, model_id: str, prompt: str, sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        self.samplings.append(sampling)
        self.prompts.append(prompt)
        words = ["Hello", " there", "."]
        try:
            count = 0
            while self.endless or count < len(words):
                if self.broken_after is not None and count >= self.broken_after:
                    raise RuntimeError("the model fell over")
                yield Piece(words[count % 3])
                count += 1
                await asyncio.sleep(0.001)
            yield Piece("", "stop", 7, count)
        except (asyncio.CancelledError, GeneratorExit):
            self.closed += 1
            raise

    async def converse(
        self, model_id: str, turns: Sequence[Turn], prefix: str, sampling: Sampling
    ) -> AsyncGenerator[Piece, None]:
        raise MissingError("There is no other server.", "Name one in the settings.")
        yield Piece("")

    def jobs_changed(self, running: int) -> None:
        self.running.append(running)

    async def close(self) -> None:
        return None


def assembled(home: EngineHome, url: str) -> Engine:
    settings = engine_settings()
    return join(home, url, StandInLibrary(home), StandInVoice(), WORKER, settings)


if __name__ == "__main__":
    from tui.domain.errors import PapertuneError
    from tui.engine.serve import serve

    try:
        serve(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0, assembled=assembled)
    except PapertuneError as error:
        sys.stderr.write(f"papertune: {error}\n")
        sys.exit(error.exit_code)
