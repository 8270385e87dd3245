"""Chat: the conversation, the composer, and the sources beside it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker

from screens.base import BaseScreen
from screens.chat.session import Session
from screens.chat.transcript import ExchangeView, Transcript, facts
from tui.chat import Piece, SourcesFound
from tui.chat.feedback import BAD, GOOD, REASONS
from tui.domain.chat import Answer, Exchange, Mode, Source
from tui.domain.errors import NotFoundError, PapertuneError
from tui.domain.model import ModelCard
from tui.keymap import bindings
from tui.mistral import ConsentNeeded
from widgets.composer import Composer
from widgets.dialogs import Choose, Confirm, Prompt
from widgets.reader import Document
from widgets.reader_pane import ReaderPane
from widgets.rows import Column, Held, Row
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from tui.chat import Chat, Conversations, FeedbackStore
    from tui.corpus import Corpus
    from tui.mistral import EngineControl, Gate

SOURCE_COLUMNS = (
    Column("", 3),
    Column("Source", 16, share=1),
    Column("Page", 4, rank=1, right=True),
)
_MODES = (
    (Mode.ASK.value, "Ask", "an answer to a question"),
    (Mode.SUMMARISE.value, "Summarise", "what the papers say about a topic"),
    (Mode.BRAINSTORM.value, "Brainstorm", "ideas that connect papers, conjecture marked as such"),
    (Mode.ONBOARD.value, "Onboard", "a reading path for somebody new"),
)


class ChatScreen(BaseScreen[None]):
    """Asking a model about the papers, with the passages its answers stand on."""

    NAME = "Chat"
    ABOUT = "Ask the papers. Arms: base or tuned model, with or without retrieved passages."
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("chat")
    AUTO_FOCUS = "Composer"

    @dataclass
    class Picked(Message):
        """A model was found to ask."""

        card: ModelCard

    @dataclass
    class Passage(Message):
        """The text of a source came."""

        source: Source
        text: str

    def __init__(
        self,
        chat: Chat,
        conversations: Conversations,
        feedback: FeedbackStore,
        corpus: Callable[[], Corpus],
        engine: EngineControl,
        gate: Gate,
    ) -> None:
        super().__init__()
        self.chat = chat
        self.conversations = conversations
        self.feedback = feedback
        self.corpus = corpus
        self.engine = engine
        self.gate = gate
        self.session = Session(chat, conversations)
        self._sources: tuple[Source, ...] = ()
        self._answering: Worker[None] | None = None

    def compose_body(self) -> ComposeResult:
        """Transcript over composer; sources beside, or over them where the screen is narrow."""
        with Horizontal():
            with Vertical(id="talk"):
                yield Transcript(id="transcript")
                yield Static(id="asking")
                yield Composer(placeholder="Ask the papers…", id="composer")
            with Vertical(id="side"):
                yield VirtualList(SOURCE_COLUMNS, selectable=False, id="sources")
                yield ReaderPane("The passages an answer stands on appear here.", id="passage")

    def on_mount(self) -> None:
        """Find a model to ask."""
        self._show_asking()
        self.call_after_refresh(self._show_conversation)
        self.pick()

    def on_screen_resume(self) -> None:
        """A job may have made a model meanwhile; the guide may have a question."""
        if self._answering is None:
            self.pick()
        composer = self.query_one(Composer)
        if not composer.text and self.app.prefill("question"):
            composer.text = self.app.prefill("question")
            composer.move_cursor(composer.document.end)

    @property
    def transcript(self) -> Transcript:
        """The conversation."""
        return self.query_one(Transcript)

    # Whom to ask

    @work(exclusive=True, exit_on_error=False, group="pick")
    async def pick(self) -> None:
        """The guide's model, the one chosen before, else the newest fine-tuned one."""
        wanted = self.app.prefill("model") or (self.session.card.id if self.session.card else None)
        self.post_message(self.Picked(await self.chat.pick(wanted)))

    def on_chat_screen_picked(self, event: Picked) -> None:
        """Ask this one from now on."""
        if self.session.card is None or self.session.card.id != event.card.id:
            self.session.card, self.session.base = event.card, False
        self._show_asking()

    def _show_asking(self) -> None:
        session = self.session
        who = session.model or f"no model yet: {self.app.key_for('chat.engine')} starts the engine"
        mode = "" if session.mode is Mode.ASK else f" · {session.mode.value}"
        words = Content.assemble((f" {session.arm.value}", "bold"), (f" · {who}{mode}", "$muted"))
        self.query_one("#asking", Static).update(words)

    def action_arm(self) -> None:
        """Tuned or base, with or without sources."""
        self.session.next_arm()
        self._show_asking()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_model(self) -> None:
        """Choose a model of the endpoint."""
        cards = {card.id: card for card in await self.chat.models()}
        choices = [
            (card.id, card.id, "fine-tuned" if card.tuned else "base") for card in cards.values()
        ]
        here = self.session.card.id if self.session.card else ""
        chosen = await self.app.push_screen_wait(Choose("Ask which model?", choices, at=here))
        if chosen:
            self.post_message(self.Picked(cards[chosen]))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_purpose(self) -> None:
        """Choose what a question asks for."""
        at = self.session.mode.value
        chosen = await self.app.push_screen_wait(Choose("What for?", _MODES, at=at))
        if chosen:
            self.session.mode = Mode(chosen)
            self._show_asking()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_engine(self) -> None:
        """Start the local engine, then find a model."""
        self.say("Starting the engine…")
        await self.engine.ensure()
        self.say("")
        self.pick()

    # Asking

    @on(Composer.Submitted)
    def _submitted(self, event: Composer.Submitted) -> None:
        event.stop()
        if self._answering is not None:
            self.app.flash(f"An answer is coming; {self.app.key_for('chat.stop')} stops it.")
            return
        if self.session.card is None:
            self._show_asking()
            self.app.flash("There is no model to ask yet.")
            return
        self.query_one(Composer).text = ""
        self.ask(event.text)

    def ask(self, text: str) -> None:
        """Ask, and leave the composer so that single keys work while the answer comes."""
        self._answering = self._ask(text)
        self.transcript.focus()
        self.refresh_bindings()

    @work(exclusive=True, exit_on_error=False, group="answer")
    async def _ask(self, text: str) -> None:
        view = await self.transcript.begin(text)
        view.say("…")
        try:
            try:
                await self._stream(view, text)
            except ConsentNeeded as needed:
                yes = await self.app.push_screen_wait(Confirm("Send it there?", str(needed)))
                if not yes:
                    view.say("Nothing was sent.")
                    return
                await asyncio.to_thread(self.gate.consent, needed.endpoint)
                await self._stream(view, text)
        except PapertuneError as error:
            view.say("")
            await view.finish(self._last(text).answer)
            self.app.report(error)
        except asyncio.CancelledError:
            await view.finish(self._last(text).answer)
            raise
        finally:
            self._answering = None
            self.refresh_bindings()

    async def _stream(self, view: ExchangeView, text: str) -> None:
        async for event in self.session.ask(text):
            if isinstance(event, SourcesFound):
                self._show_sources(event.sources)
                view.say(f"reading {len(event.sources)} sources…")
            elif isinstance(event, Piece):
                await view.add(event.text)
            else:
                await view.finish(event)
                self._show_sources(event.sources)
                self.say(facts(event))
                if event.complete:
                    self.app.step_done("chat", self.session.card.id if self.session.card else "")

    def _last(self, text: str) -> Exchange:
        """The exchange as it is on disk: what was said so far stays."""
        held = [exchange for exchange in self.session.exchanges if exchange.question == text]
        return held[-1] if held else Exchange("", text, Answer("", "", self.session.arm), 0.0)

    def action_stop(self) -> None:
        """Stop the model; else close what is open over the conversation."""
        if self._answering is not None:
            self._answering.cancel()
        elif self.has_class("-sources"):
            self.set_class(False, "-sources")
            self.transcript.focus()
        self.refresh_bindings()

    def action_ask(self) -> None:
        """Type a question."""
        self.set_class(False, "-sources")
        self.query_one(Composer).focus()

    @on(Composer.Left)
    def _left(self, event: Composer.Left) -> None:
        event.stop()
        self.transcript.focus()

    def action_retry(self) -> None:
        """Ask the last question again, e.g. on another arm."""
        if self._answering is None and self.session.exchanges:
            self.ask(self.session.exchanges[-1].question)

    def action_editor(self) -> None:
        """Write the question in $EDITOR."""
        composer = self.query_one(Composer)
        written = self.app.edit_text(composer.text)
        if written is not None:
            composer.text = written.strip()
            composer.focus()

    # Sources

    def _show_sources(self, sources: tuple[Source, ...]) -> None:
        self._sources = sources
        marks = {True: "✓", False: "✗", None: " "}
        rows = [
            Row(
                str(source.n),
                (f"{source.n}{marks[source.verified]}", source.title, str(source.page or "")),
                "warning" if source.verified is False else "",
            )
            for source in sources
        ]
        self.query_one("#sources", VirtualList).show(Held(rows), len(rows), rows)
        if not rows:
            self.query_one("#passage", ReaderPane).clear()

    def action_sources(self) -> None:
        """To the sources of the last answer."""
        self.set_class(True, "-sources")
        self.query_one("#sources").focus()
        self.refresh_bindings()

    @on(VirtualList.Moved, "#sources")
    def _source_moved(self, event: VirtualList.Moved) -> None:
        event.stop()
        if event.row is not None:
            self._read(next(s for s in self._sources if str(s.n) == event.row.key))

    @on(VirtualList.Opened, "#sources")
    def _source_opened(self, event: VirtualList.Opened) -> None:
        event.stop()
        self.query_one("#passage", ReaderPane).reader.focus()

    @work(thread=True, exclusive=True, exit_on_error=False, group="read")
    def _read(self, source: Source) -> None:
        try:
            text = self.corpus().passage(source.passage).text
        except NotFoundError:
            text = f"{source.quote}\n\n(The paper was removed since; this is what the model saw.)"
        self.post_message(self.Passage(source, text))

    def on_chat_screen_passage(self, event: Passage) -> None:
        """Show the passage with what the model saw of it marked."""
        source, text = event.source, event.text
        marks = []
        for sentence in source.quote.split(". "):
            start = text.find(sentence.strip())
            if sentence.strip() and start >= 0:
                marks.append((start, start + len(sentence.strip())))
        byline = [source.section, f"p. {source.page}" if source.page else ""]
        pane = self.query_one("#passage", ReaderPane)
        pane.show(source.title, byline, Document(text, marks=tuple(marks)), 0)

    # Conversations and what to do with answers

    async def _show_conversation(self) -> None:
        ask = self.app.key_for("chat.ask")
        hint = (
            "Ask a question about your papers.\n\nEnter sends it, esc leaves the line, "
            f"{ask} comes back to it."
        )
        await self.transcript.show(self.session.exchanges, hint)
        last = self.session.exchanges[-1].answer if self.session.exchanges else None
        self._show_sources(last.sources if last else ())

    async def action_new(self) -> None:
        """Begin a new conversation."""
        self.session.renew()
        await self._show_conversation()
        self.action_ask()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_conversations(self) -> None:
        """Go on with an earlier conversation."""
        held = await asyncio.to_thread(self.conversations.all)
        if not held:
            self.app.flash("There are no conversations yet.")
            return
        choices = [
            (c.id, c.title, time.strftime("%d %b %H:%M", time.localtime(c.started_at)))
            for c in held[:200]
        ]
        chosen = await self.app.push_screen_wait(Choose("Conversations", choices))
        if chosen:
            await asyncio.to_thread(self.session.resume, chosen)
            await self._show_conversation()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_copy(self) -> None:
        """Copy the last answer."""
        if self.session.exchanges:
            await self.app.copy(self.session.exchanges[-1].answer.text, "the answer")

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_export(self) -> None:
        """Write the conversation to a Markdown file."""
        target = await self.app.push_screen_wait(
            Prompt("Export", "Write this conversation to", value=f"{self.session.id}.md")
        )
        if target:
            written = await asyncio.to_thread(
                lambda: self.conversations.export(self.session.id, Path(target).expanduser())
            )
            self.app.flash(f"Written to {written}.")

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_feedback(self) -> None:
        """Say whether the last answer is good, or what is wrong with it."""
        if not self.session.exchanges:
            return
        exchange = self.session.exchanges[-1]
        choices = [
            (GOOD, "Good", ""),
            *((reason, f"Bad: {reason}", "") for reason in REASONS),
            ("correct", "Correct it", "write the right answer in $EDITOR"),
        ]
        chosen = await self.app.push_screen_wait(Choose("What about this answer?", choices))
        if chosen is None:
            return
        correction = ""
        if chosen == "correct":
            correction = (self.app.edit_text(exchange.answer.text) or "").strip()
            if not correction or correction == exchange.answer.text:
                self.app.flash("Nothing was changed, so nothing is recorded.")
                return
        rating = GOOD if chosen == GOOD else BAD
        reason = chosen if chosen in REASONS else ""
        await asyncio.to_thread(
            self.feedback.rate, exchange, rating, reason=reason, correction=correction
        )
        self.app.flash("Recorded. See all with: papertune feedback list")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense now."""
        if action == "stop":
            return self._answering is not None or self.has_class("-sources")
        if action in ("copy", "feedback", "retry", "export"):
            return bool(self.session.exchanges) and self._answering is None
        if action == "sources":
            return bool(self._sources)
        return True
