"""The library: find, read, tag, and pass papers on to a dataset."""

from screens.corpus.screen import CorpusScreen

__all__ = ["CorpusScreen"]
