"""The first start: where to begin."""

from screens.welcome.screen import WelcomeScreen
from screens.welcome.start import Start

__all__ = ["Start", "WelcomeScreen"]
