"""Fine-tuning jobs: launch, watch, stop, and see what became of them."""

from screens.jobs.screen import JobsScreen

__all__ = ["JobsScreen"]
