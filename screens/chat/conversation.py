"""What the chat screen does with a conversation and its answers, apart from asking."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import work
from textual.worker import Worker

from screens.base import BaseScreen
from screens.chat import flows, keeping
from screens.chat.sources import SourcesPane
from screens.chat.transcript import ExchangeView, Transcript
from tui.chat.session import Session
from tui.domain.chat import Answer
from widgets.composer import Composer

if TYPE_CHECKING:
    from tui.chat import Conversations, FeedbackStore
    from tui.corpus import Corpus
    from tui.datasets import Datasets


class ConversationScreen(BaseScreen[None]):
    """Resuming, branching, choosing, copying, rating and exporting; `ChatScreen` asks."""

    session: Session
    conversations: Conversations
    feedback: FeedbackStore
    corpus: Callable[[], Corpus]
    datasets: Callable[[], Datasets]
    _answering: Worker[None] | None

    @property
    def transcript(self) -> Transcript:
        """The conversation."""
        return self.query_one(Transcript)

    @property
    def side(self) -> SourcesPane:
        """The sources."""
        return self.query_one(SourcesPane)

    # What asks

    def ask(self, text: str) -> None:
        """Ask a question; see the chat screen."""
        raise NotImplementedError

    def action_ask(self) -> None:
        """To the line in which questions are typed; see the chat screen."""
        raise NotImplementedError

    def _show_asking(self) -> None:
        raise NotImplementedError

    def _go_on(self, view: ExchangeView) -> Worker[None]:
        raise NotImplementedError

    # Again, and elsewhere

    def action_retry(self) -> None:
        """Ask the last question again, e.g. on another arm; its answer stays, on its own branch."""
        text = self.session.last_question
        if self._answering is None and text:
            self._again(text)

    @work(exclusive=True, exit_on_error=False, group="again")
    async def _again(self, text: str) -> None:
        if not self.session.open_question:
            self.session.rewind(self.session.exchanges[-1].id)
        await self.transcript.show(self.session.exchanges, "")
        self.ask(text)

    async def action_go_on(self) -> None:
        """Have the model go on with its last answer, which was cut."""
        await self.transcript.action_scroll_end()
        view = self.transcript.last
        if self._answering is None and view is not None:
            self._answering = self._go_on(view)
            self.refresh_bindings()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_edit(self) -> None:
        """Edit an earlier question: what is sent then begins a branch there."""
        chosen = await flows.earlier(self.app, self.session.exchanges)
        if chosen is not None:
            self.session.rewind(chosen.id)
            await self._show_conversation()
            composer = self.query_one(Composer)
            composer.text = chosen.question
            composer.focus()
            self.refresh_bindings()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_branches(self) -> None:
        """Go to another branch of this conversation."""
        here = self.session.exchanges[-1].id if self.session.exchanges else ""
        chosen = await flows.branch(self.app, self.conversations, self.session.id, here)
        if chosen is not None:
            self.session.show(chosen.id, chosen.exchanges)
            await self._show_conversation()
            self.refresh_bindings()

    async def action_left(self) -> None:
        """The first of the two answers is better."""
        await self._prefer(0)

    async def action_right(self) -> None:
        """The second of the two answers is better."""
        await self._prefer(1)

    async def _prefer(self, side: int) -> None:
        last = await asyncio.to_thread(self.session.prefer, side)
        if last.other is None:
            return
        pair = (last.answer, last.other)
        blind = self.session.blind
        record = partial(self.feedback.prefer, last, pair[side], pair[1 - side], blind=blind)
        await asyncio.to_thread(record)
        if self.transcript.last is not None:
            self.transcript.last.show(last)
        self.side.show(pair[side].sources)
        self.app.flash(f"Recorded: {pair[side].arm.value} over {pair[1 - side].arm.value}.")
        self.refresh_bindings()

    # Conversations and what to do with answers

    async def _show_conversation(self) -> None:
        key = self.app.key_for
        hint = (
            f"Press {key('chat.ask')} to ask a question about your papers.\n\n"
            f"{key('chat.arm')} chooses who answers: the tuned model or its base, with or without "
            f"passages of the papers; {key('chat.beside')} has two answer beside each other. "
            f"{key('chat.scope')} says which papers are asked, {key('chat.mode')} what for. "
            f"{key('chat.conversations')} goes on with an earlier conversation."
        )
        await self.transcript.show(self.session.exchanges, hint)
        last = self.session.exchanges[-1].answer if self.session.exchanges else None
        self.side.show(last.sources if last else ())

    async def action_new(self) -> None:
        """Begin a new conversation."""
        self.session.renew()
        await self._show_conversation()
        self.action_ask()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_conversations(self) -> None:
        """Go on with an earlier conversation."""
        await self._resume(await flows.conversation(self.app, self.conversations))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_search(self) -> None:
        """Find an earlier conversation by its words."""
        await self._resume(await flows.search(self.app, self.conversations))

    async def _resume(self, chosen: str | None) -> None:
        if chosen:
            await asyncio.to_thread(self.session.resume, chosen)
            await self._show_conversation()
            self._show_asking()
            self.refresh_bindings()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_rename(self) -> None:
        """Give the conversation a title."""
        await flows.title(self.app, self.conversations, self.session.id)

    async def action_copy(self) -> None:
        """Copy the last answer."""
        if self.session.exchanges:
            await self.app.copy(self.session.exchanges[-1].answer.text, "the answer")

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_copy_part(self) -> None:
        """Copy code of the last answer, or its sources' BibTeX."""
        if self.session.exchanges:
            await flows.copy_part(self.app, self.session.exchanges[-1].answer, self._bibtex)

    def _bibtex(self, answer: Answer) -> str:
        papers = list(dict.fromkeys(source.paper for source in answer.sources))
        return self.corpus().export_bibtex(papers)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_export(self) -> None:
        """Write the conversation to a Markdown file or a folder of notes."""
        await keeping.export(self.app, self.conversations, self.session.id)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_feedback(self) -> None:
        """Say whether the last answer is good, or what is wrong with it."""
        if self.session.exchanges:
            last = self.session.exchanges[-1]
            await keeping.rate(self.app, self.feedback, last, self.corpus, self.datasets)
