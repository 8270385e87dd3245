"""The library: find, read, tag, and pass papers on to a dataset."""

from screens.corpus.screen import CorpusScreen
from screens.corpus.services import CorpusServices

__all__ = ["CorpusScreen", "CorpusServices"]
