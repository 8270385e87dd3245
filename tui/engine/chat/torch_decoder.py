"""Answers of one transformers model: several at a time in turns, each with its own adapter.

One thread computes. It gives every answer one token, or one piece of its prompt, before any gets
the next, so that two people who ask stream at once; whoever has gone is dropped between two steps.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from transformers import AutoTokenizer, DynamicCache, GenerationConfig

from tui.engine.chat.stops import StopFilter
from tui.engine.training.model import load, pick_device, pick_dtype

SLOTS = 4
# Tokens of a prompt between two looks at who else waits and who has gone: a fraction of 250 ms.
_PROMPT_STEP = {"cpu": 32, "cuda": 1024}
_REUSED_AT_LEAST = 16
_BASE = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `adapter` is a folder with a LoRA adapter, or empty."""

    prompt: Sequence[int]
    limit: int
    temperature: float = 0.3
    top_p: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0
    seed: int | None = None
    stop: Sequence[str] = ()
    schema: dict[str, Any] | None = None
    adapter: str = _BASE


@dataclass(slots=True)
class Answer:
    """An answer under way; `say(text, reason, count)` is called from the computing thread."""

    asked: Asked
    say: Callable[[str, str, int], None]
    fail: Callable[[str], None]
    gone: threading.Event = field(default_factory=threading.Event)


@dataclass(slots=True)
class _Running:
    answer: Answer
    cache: Any
    left: list[int]  # of the prompt, not read yet
    seen: list[int]  # read, in the order of the cache
    stream: Any
    stops: StopFilter
    generator: torch.Generator
    matcher: Any = None
    said: Counter[int] = field(default_factory=Counter)
    count: int = 0


class Decoder(threading.Thread):
    """Computes answers until the process ends."""

    def __init__(self, folder: Path, context: int, threads: int) -> None:
        super().__init__(daemon=True, name="decoder")
        torch.set_num_threads(threads)
        self.device = pick_device()
        self.model = load(folder, self.device, pick_dtype(self.device)).eval()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._folder = folder
        self._context = context
        self._ends = _end_tokens(folder, self.model)
        self._waiting: queue.Queue[Answer] = queue.Queue()
        self._running: list[_Running] = []
        self._adapters: dict[str, str] = {}
        self._active = _BASE
        self._spare: tuple[str, list[int], Any] | None = None
        self._grammar: Any = None

    def ask(self, answer: Answer) -> None:
        """Compute this answer when its turn comes."""
        self._waiting.put(answer)

    def run(self) -> None:
        """Serve for ever."""
        with torch.inference_mode():
            while True:
                while len(self._running) < SLOTS and (
                    not self._waiting.empty() or not self._running
                ):
                    self._admit(self._waiting.get())
                # Answers of one adapter stand together: switching costs a walk over all layers.
                self._running.sort(key=lambda item: item.answer.asked.adapter)
                for item in list(self._running):
                    self._advance(item)

    def _admit(self, answer: Answer) -> None:
        if answer.gone.is_set():
            return
        asked = answer.asked
        try:
            self._load_adapter(asked.adapter)
            cache, seen = self._remembered(asked)
            generator = torch.Generator()
            if asked.seed is None:
                generator.seed()
            else:
                generator.manual_seed(asked.seed)
            matcher = self._matcher(asked.schema) if asked.schema is not None else None
        except Exception as error:
            answer.fail(str(error))
            return
        left = list(asked.prompt[len(seen) :])
        # The prompt's end is given so that a space between it and the answer is not lost.
        stream = DecodeStream(ids=list(asked.prompt[-8:]), skip_special_tokens=True)
        stops = StopFilter(asked.stop)
        self._running.append(_Running(answer, cache, left, seen, stream, stops, generator, matcher))

    def _advance(self, item: _Running) -> None:
        if item.answer.gone.is_set():
            self._leave(item)
            return
        try:
            self._switch(item.answer.asked.adapter)
            step = _PROMPT_STEP.get(self.device.type, 256)
            taken, item.left = item.left[:step], item.left[step:]
            output = self.model(
                input_ids=torch.tensor([taken], device=self.device),
                past_key_values=item.cache,
                use_cache=True,
                logits_to_keep=1,
            )
            item.seen += taken
            if not item.left:
                self._say(item, self._drawn(item, output.logits[0, -1].float().cpu()))
        except Exception as error:
            item.answer.fail(str(error))
            self._leave(item)

    def _say(self, item: _Running, token: int) -> None:
        """Tell the token, or that the answer ends with it."""
        asked = item.answer.asked
        item.count += 1
        item.said[token] += 1
        if token in self._ends:
            item.answer.say(item.stops.rest(), "eos", item.count)
            self._leave(item)
            return
        text = item.stops.feed(item.stream.step(self._tokenizer, token) or "")
        finished = item.matcher is not None and item.matcher.is_stopped()
        if item.stops.stopped or finished:
            item.answer.say(text + item.stops.rest(), "word", item.count)
        elif item.count >= asked.limit or len(item.seen) + 1 >= self._context:
            item.answer.say(text + item.stops.rest(), "limit", item.count)
        else:
            item.left = [token]
            if text:
                item.answer.say(text, "", item.count)
            return
        self._leave(item)

    def _drawn(self, item: _Running, logits: torch.Tensor) -> int:
        asked = item.answer.asked
        for token, times in item.said.items() if asked.presence or asked.frequency else ():
            logits[token] -= asked.presence + asked.frequency * times
        if item.matcher is not None:
            logits[~_allowed(item.matcher, len(logits))] = -torch.inf
        if asked.temperature <= 0:
            token = int(logits.argmax())
        else:
            shares = torch.softmax(logits / asked.temperature, dim=-1)
            if asked.top_p < 1:
                ordered, order = shares.sort(descending=True)
                beyond = ordered.cumsum(0) - ordered >= max(asked.top_p, 1e-6)
                shares[order[beyond]] = 0
            token = int(torch.multinomial(shares, 1, generator=item.generator))
        if item.matcher is not None:
            item.matcher.consume_token(token)
        return token

    def _leave(self, item: _Running) -> None:
        self._running.remove(item)
        self._spare = (item.answer.asked.adapter, item.seen, item.cache)

    def _remembered(self, asked: Asked) -> tuple[Any, list[int]]:
        """The last answer's cache if this prompt begins as that one did, else an empty one."""
        if self._spare is not None and self._spare[0] == asked.adapter:
            _, seen, cache = self._spare
            longest = min(len(seen), len(asked.prompt) - 1)
            same = next((n for n in range(longest) if seen[n] != asked.prompt[n]), longest)
            if same >= _REUSED_AT_LEAST:
                self._spare = None
                cache.crop(same)
                return cache, seen[:same]
        return DynamicCache(), []

    def _load_adapter(self, adapter: str) -> None:
        if adapter == _BASE or adapter in self._adapters:
            return
        from peft import PeftModel

        if not (Path(adapter) / "adapter_model.safetensors").is_file():
            raise ValueError("the adapter has no safetensors")
        name = f"a{len(self._adapters)}"
        if self._adapters:
            self.model.load_adapter(adapter, adapter_name=name)
        else:
            self.model = PeftModel.from_pretrained(self.model, adapter, adapter_name=name).eval()
            self._active = adapter
        self._adapters[adapter] = name

    def _switch(self, adapter: str) -> None:
        if adapter == self._active or not self._adapters:
            return
        if adapter == _BASE:
            self.model.base_model.disable_adapter_layers()
        else:
            self.model.base_model.enable_adapter_layers()
            self.model.set_adapter(self._adapters[adapter])
        self._active = adapter

    def _matcher(self, schema: dict[str, Any]) -> Any:
        try:
            import llguidance
            import llguidance.hf
        except ImportError:
            raise ValueError("JSON needs llguidance: pip install 'papertune[train]'") from None
        if self._grammar is None:
            self._grammar = llguidance.hf.from_tokenizer(
                AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
            )
        grammar = llguidance.LLMatcher.grammar_from_json_schema(schema)
        problem = llguidance.LLMatcher.validate_grammar(grammar, self._grammar)
        if problem:
            raise ValueError(f"the schema cannot be followed: {problem}")
        return llguidance.LLMatcher(self._grammar, grammar)


def _allowed(matcher: Any, size: int) -> torch.Tensor:
    """Which tokens the grammar allows next, shape (size,)."""
    import numpy as np

    bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
    out = np.zeros(size, bool)
    out[: len(bits)] = bits[:size].astype(bool)
    return torch.from_numpy(out)


def _end_tokens(folder: Path, model: Any) -> frozenset[int]:
    """Every token that ends an answer: the configuration's and the tokenizer's."""
    found: list[Any] = [model.config.eos_token_id]
    if (folder / "generation_config.json").is_file():
        found.append(GenerationConfig.from_pretrained(folder, local_files_only=True).eos_token_id)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    found.append(tokenizer.eos_token_id)
    ids = [token for entry in found for token in (entry if isinstance(entry, list) else [entry])]
    return frozenset(int(token) for token in ids if token is not None)
