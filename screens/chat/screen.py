"""Chat: the conversation, the composer, and the sources beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker

from screens.base import BaseScreen
from screens.chat import flows
from screens.chat.sources import SourcesPane
from screens.chat.transcript import ExchangeView, Transcript
from tui.chat import Piece, SourcesFound
from tui.chat.session import Session
from tui.domain.chat import Answer, Mode
from tui.domain.errors import PapertuneError
from tui.domain.model import ModelCard
from tui.keymap import bindings
from tui.mistral import ConsentNeeded, EngineOff
from widgets.composer import Composer
from widgets.status import GuideStep

if TYPE_CHECKING:
    from tui.chat import Chat, Conversations, FeedbackStore
    from tui.corpus import Corpus
    from tui.mistral import EngineControl, Gate


class ChatScreen(BaseScreen[None]):
    """Asking a model about the papers, with the passages its answers stand on."""

    NAME = "Chat"
    ABOUT = "Ask the papers. Arms: base or tuned model, with or without retrieved passages."
    CSS_PATH = "screen.tcss"
    BINDINGS = bindings("chat")
    # Not the composer: whoever only passes by must find the keys of the modes alive.
    AUTO_FOCUS = "Transcript"

    @dataclass
    class Picked(Message):
        """A model was found to ask."""

        card: ModelCard

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
        self._defaults = ("", "")
        self._answering: Worker[None] | None = None

    def compose_body(self) -> ComposeResult:
        """Transcript over composer; sources beside, or over them where the screen is narrow."""
        with Horizontal():
            with Vertical(id="talk"):
                yield Transcript(id="transcript")
                yield Static(id="asking")
                yield Composer(placeholder="Ask the papers", id="composer")
            yield SourcesPane(self.corpus, id="side")

    def on_mount(self) -> None:
        """An empty conversation."""
        self._show_asking()
        self.call_after_refresh(self._show_conversation)

    def on_screen_resume(self) -> None:
        """Find a model to ask: a job may have made one meanwhile, Settings may name another."""
        if self._answering is None:
            self.pick()

    def guide_keys(self, step: GuideStep) -> list[str]:
        """In the composer the guide's question only waits to be sent."""
        if step.mode == "chat" and self.focused is self.query_one(Composer):
            return [self.app.key_for("composer.send")]
        return super().guide_keys(step)

    @property
    def transcript(self) -> Transcript:
        """The conversation."""
        return self.query_one(Transcript)

    # Whom to ask

    @work(exclusive=True, exit_on_error=False, group="pick")
    async def pick(self) -> None:
        """The guide's model, the one chosen before, else the newest fine-tuned one."""
        settings = self.gate.settings
        card = self.session.card
        if (settings.endpoint, settings.model) != self._defaults:
            self._defaults = (settings.endpoint, settings.model)
            card = None
        wanted = self.app.prefill("model") or (card.id if card else settings.model)
        endpoint = card.endpoint if card and card.id == wanted else settings.endpoint
        try:
            self.post_message(self.Picked(await self.chat.pick(wanted or None, endpoint)))
        except PapertuneError as error:
            self.session.card = None
            self._show_asking()
            self.refresh_bindings()
            if not isinstance(error, EngineOff):  # the line over the composer says that one
                raise

    def on_chat_screen_picked(self, event: Picked) -> None:
        """Ask this one from now on."""
        card, self.session.card = self.session.card, event.card
        if card is None or card.id != event.card.id:
            self.session.base = False
        self._show_asking()
        self.refresh_bindings()

    def _show_asking(self) -> None:
        session = self.session
        mode = "" if session.mode is Mode.ASK else f" · {session.mode.value}"
        if session.model:
            who = f" · {session.model}{mode}"
            words = Content.assemble((f" {session.arm.value}", "bold"), (who, "$muted"))
        else:
            endpoint = self.gate.settings.endpoint
            start, settings = self.app.key_for("chat.engine"), self.app.key_for("app.settings")
            what = (
                f"{start} starts the engine" if endpoint == "local" else f"see {settings} Settings"
            )
            words = Content.styled(f" No model to ask at {endpoint}: {what}", "$warning")
        self.query_one("#asking", Static).update(words)

    def action_arm(self) -> None:
        """Tuned or base, with or without sources."""
        self.session.next_arm()
        self._show_asking()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_model(self) -> None:
        """Choose a model of the endpoint."""
        here = self.session.card.id if self.session.card else ""
        chosen = await flows.model(self.app, await self.chat.models(), here)
        if chosen is not None:
            self.post_message(self.Picked(chosen))

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_purpose(self) -> None:
        """Choose what a question asks for."""
        self.session.mode = await flows.mode(self.app, self.session.mode)
        self._show_asking()

    @work(exclusive=True, exit_on_error=False, group="engine")
    async def action_engine(self) -> None:
        """Start the local engine, then find a model."""
        self.say("Starting the engine…")
        try:
            await self.engine.ensure()
        finally:
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
            self.app.flash("There is no model to ask yet; the line above says what to do.")
            self.pick()
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
                if not await flows.allow(self.app, needed):
                    view.say("Nothing was sent.")
                    return
                await asyncio.to_thread(self.gate.consent, needed.endpoint)
                await self._stream(view, text)
        except PapertuneError as error:
            await self._broken_off(view)
            self.app.report(error)
        except asyncio.CancelledError:
            await self._broken_off(view)
            raise
        finally:
            self._answering = None
            self.refresh_bindings()

    async def _broken_off(self, view: ExchangeView) -> None:
        """Show what was said so far, which is what the history holds."""
        if not view.is_attached:
            return  # papertune is being left
        if self.session.open_question:
            view.say(f"No answer; {self.app.key_for('chat.retry')} asks again.")
        else:
            await view.finish(self.session.exchanges[-1].answer)

    async def _stream(self, view: ExchangeView, text: str) -> None:
        async for told in self.session.ask(text):
            event = told.event
            if isinstance(event, SourcesFound):
                self.side.show(event.sources)
                view.say(f"reading {len(event.sources)} sources…")
            elif isinstance(event, Piece):
                await view.add(event.text)
            elif isinstance(event, Answer):
                await view.finish(event)
                self.side.show(event.sources)
                if event.complete:
                    self.app.step_done("chat", self.session.card.id if self.session.card else "")

    def action_stop(self) -> None:
        """Stop the model; what it said so far is kept."""
        if self._answering is not None:
            self._answering.cancel()

    @on(SourcesPane.Left)
    def _back(self, event: SourcesPane.Left) -> None:
        event.stop()
        self.set_class(False, "-sources")
        self.transcript.focus()

    def action_ask(self) -> None:
        """Type a question; the guide may have one to begin with."""
        self.set_class(False, "-sources")
        composer = self.query_one(Composer)
        if not composer.text and self.app.prefill("question"):
            composer.text = self.app.prefill("question")
            composer.move_cursor(composer.document.end)
        composer.focus()

    @on(Composer.Left)
    def _left(self, event: Composer.Left) -> None:
        event.stop()
        self.transcript.focus()

    def action_retry(self) -> None:
        """Ask the last question again, e.g. on another arm."""
        if self._answering is None and self.session.last_question:
            self.ask(self.session.last_question)

    def action_editor(self) -> None:
        """Write the question in $EDITOR."""
        composer = self.query_one(Composer)
        written = self.app.edit_text(composer.text)
        if written is not None:
            composer.text = written.strip()
            composer.focus()

    @property
    def side(self) -> SourcesPane:
        """The sources."""
        return self.query_one(SourcesPane)

    def action_sources(self) -> None:
        """To the sources of the last answer."""
        self.set_class(True, "-sources")
        self.side.listing.focus()
        self.refresh_bindings()

    # Conversations and what to do with answers

    async def _show_conversation(self) -> None:
        key = self.app.key_for
        hint = (
            f"Press {key('chat.ask')} to ask a question about your papers.\n\n"
            f"{key('chat.arm')} chooses who answers: the tuned model or its base, with or without "
            f"passages of the papers. {key('chat.conversations')} goes on with an earlier "
            "conversation."
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
        chosen = await flows.conversation(self.app, self.conversations)
        if chosen:
            await asyncio.to_thread(self.session.resume, chosen)
            await self._show_conversation()
            self.refresh_bindings()

    async def action_copy(self) -> None:
        """Copy the last answer."""
        if self.session.exchanges:
            await self.app.copy(self.session.exchanges[-1].answer.text, "the answer")

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_export(self) -> None:
        """Write the conversation to a Markdown file."""
        await flows.export(self.app, self.conversations, self.session.id)

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_feedback(self) -> None:
        """Say whether the last answer is good, or what is wrong with it."""
        if self.session.exchanges:
            await flows.rate(self.app, self.feedback, self.session.exchanges[-1])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense now."""
        if not self.is_mounted:
            return True
        idle = self._answering is None
        said = bool(self.session.exchanges)
        sensible = {
            "stop": not idle,
            "new": idle and said,
            "conversations": idle,
            "retry": idle and bool(self.session.last_question),
            "copy": idle and said,
            "feedback": idle and said,
            "export": idle and said,
            "sources": bool(self.side.sources),
            "engine": self.session.card is None,
        }
        return sensible.get(action, True)
