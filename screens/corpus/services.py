"""What the corpus screen is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.corpus import Corpus
    from tui.corpus.ocr import Ocr
    from tui.corpus.sources.fetch import Fetcher
    from tui.datasets import Datasets


@dataclass(frozen=True, slots=True)
class CorpusServices:
    """Services, each asked for where it is used: importing them takes longer than a first frame."""

    corpus: Callable[[], Corpus]
    datasets: Callable[[], Datasets]
    ocr: Callable[[], Ocr]
    fetcher: Callable[[], Fetcher]
