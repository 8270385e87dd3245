"""Training sets: compose, review, split, check, freeze."""

from screens.datasets.screen import DatasetsScreen

__all__ = ["DatasetsScreen"]
