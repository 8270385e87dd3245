"""What may leave this machine: nothing private, and nothing at all before a person said yes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from tui.domain.endpoint import Endpoint
from tui.domain.errors import ExitCode, PapertuneError, UsageError
from tui.settings import Settings, save_settings
from tui.text import visible

_NAMED = 3


class PrivateTextError(UsageError):
    """Text of private papers was about to be sent to an endpoint that is not trusted."""

    def __init__(self, endpoint: Endpoint, papers: Collection[str]) -> None:
        named = sorted(papers)
        listed = ", ".join(visible(name) for name in named[:_NAMED])
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        super().__init__(
            f"Nothing was sent: {listed}{more} "
            f"{'is' if len(named) == 1 else 'are'} private and '{endpoint.name}' is not trusted.",
            "Use the local engine (--endpoint local), or leave them out.",
        )
        self.endpoint = endpoint
        self.papers = frozenset(papers)


class ConsentNeeded(PapertuneError):  # noqa: N818 - a question rather than an error
    """Text was about to go to an outside endpoint for the first time; a person must say yes."""

    exit_code = ExitCode.MISSING

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(
            f"Nothing was sent: texts have never been sent to '{endpoint.name}' "
            f"({visible(endpoint.url)}), which is not on this machine.",
            "Allow it, once and for all, with --allow-outside, or in Settings.",
        )
        self.endpoint = endpoint


class Gate:
    """Stands before every send of text; services call `require`, a screen asks and `consent`s.

    `private` gives the private papers among ids, as the corpus does.
    """

    def __init__(
        self,
        settings: Settings,
        private: Callable[[Collection[str]], Collection[str]],
        save: Callable[[Settings], None] = save_settings,
    ) -> None:
        self._settings = settings
        self._private = private
        self._save = save

    @property
    def settings(self) -> Settings:
        """The settings with what was consented to since."""
        return self._settings

    @settings.setter
    def settings(self, settings: Settings) -> None:
        self._settings = settings

    def require(self, endpoint: Endpoint, papers: Collection[str] = ()) -> None:
        """Let a send of these papers' text pass, or any text where there is no paper.

        Raises PrivateTextError, which no answer of a person lifts here, and then ConsentNeeded.
        """
        if not endpoint.outside:
            return
        if not endpoint.trusted and papers and (private := self._private(papers)):
            raise PrivateTextError(endpoint, private)
        if endpoint.name not in self._settings.consented:
            raise ConsentNeeded(endpoint)

    def consent(self, endpoint: Endpoint) -> None:
        """Remember that texts may go to this endpoint; one of this machine needs no leave."""
        if endpoint.outside and endpoint.name not in self._settings.consented:
            self._settings = replace(
                self._settings, consented=(*self._settings.consented, endpoint.name)
            )
            self._save(self._settings)
