"""Training sets: compose, review, split, check, freeze."""

from screens.datasets.screen import DatasetsScreen
from screens.datasets.services import DatasetServices

__all__ = ["DatasetServices", "DatasetsScreen"]
