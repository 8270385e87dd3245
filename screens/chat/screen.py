"""Chat: the conversation, the composer, and the sources beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker

from screens.chat import flows
from screens.chat.conversation import ConversationScreen
from screens.chat.sources import SourcesPane
from screens.chat.transcript import ExchangeView, Transcript
from tui.chat import Piece, SourcesFound, Working
from tui.chat.session import Session, Told
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
    from tui.datasets import Datasets
    from tui.mistral import EngineControl, Gate


class ChatScreen(ConversationScreen):
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
        datasets: Callable[[], Datasets],
    ) -> None:
        super().__init__()
        self.chat = chat
        self.conversations = conversations
        self.feedback = feedback
        self.corpus = corpus
        self.engine = engine
        self.gate = gate
        self.datasets = datasets
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
        if session.model:
            arms = session.arm.value
            if session.beside:
                arms = "two arms, blind" if session.blind else f"{arms} | {session.other_arm.value}"
            parts = [session.model]
            parts += [] if session.mode is Mode.ASK else [session.mode.value]
            parts += [] if session.scope.kind == "all" else [session.scope.label()]
            words = Content.assemble((f" {arms}", "bold"), (f" · {' · '.join(parts)}", "$muted"))
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

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_scope(self) -> None:
        """Choose which papers are asked."""
        self.session.scope = await flows.scope(self.app, self.corpus, self.session.scope)
        self._show_asking()

    @work(exclusive=True, exit_on_error=False, group="flow")
    async def action_beside(self) -> None:
        """One answer, or two beside each other, blind if wanted."""
        session = self.session
        at = flows.ONE if not session.beside else flows.BLIND if session.blind else flows.TWO
        chosen = await flows.beside(self.app, at)
        session.beside, session.blind = chosen != flows.ONE, chosen == flows.BLIND
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
        session = self.session
        sides = 2 if session.beside else 1
        parts = [] if session.mode is Mode.ASK else [session.mode.value]
        parts += [] if session.scope.kind == "all" else [session.scope.label()]
        view = await self.transcript.begin(text, sides=sides, label=" · ".join(parts))
        await self._answer(view, lambda: session.ask(text, self.corpus()))

    @work(exclusive=True, exit_on_error=False, group="answer")
    async def _go_on(self, view: ExchangeView) -> None:
        await self._answer(view, self.session.go_on)

    async def _answer(
        self, view: ExchangeView, ask: Callable[[], AsyncGenerator[Told, None]]
    ) -> None:
        """Show what asking tells, to whatever end it comes."""
        view.say("…")
        try:
            try:
                await self._stream(view, ask())
            except ConsentNeeded as needed:
                if not await flows.allow(self.app, needed):
                    view.say("Nothing was sent.")
                    return
                await asyncio.to_thread(self.gate.consent, needed.endpoint)
                await self._stream(view, ask())
        except PapertuneError as error:
            self._broken_off(view)
            self.app.report(error)
        except asyncio.CancelledError:
            self._broken_off(view)
            raise
        finally:
            self._answering = None
            if view.is_attached and not self.session.open_question:
                self.transcript.kept(self.session.exchanges, view)
            self.refresh_bindings()

    def _broken_off(self, view: ExchangeView) -> None:
        """Show what was said so far, which is what the history holds."""
        if not view.is_attached:
            return  # papertune is being left
        if self.session.open_question:
            view.say(f"No answer; {self.app.key_for('chat.retry')} asks again.")
        else:
            view.show(self.session.exchanges[-1])

    async def _stream(self, view: ExchangeView, events: AsyncGenerator[Told, None]) -> None:
        session = self.session
        async with aclosing(events):
            async for told in events:
                event, side = told.event, told.side
                if isinstance(event, SourcesFound):
                    self._found(view, event, side)
                elif isinstance(event, Working):
                    far = f" ({event.done + 1} of {event.total})" if event.total else ""
                    view.say(f"{event.words}{far}…", side)
                elif isinstance(event, Piece):
                    view.add(event.text, side)
                elif isinstance(event, Answer):
                    view.finish(event, side, blind=session.blind and session.beside)
                    if side == 0:
                        self.side.show(event.sources)
                    if event.complete:
                        self.app.step_done("chat", session.card.id if session.card else "")

    def _found(self, view: ExchangeView, event: SourcesFound, side: int) -> None:
        if event.sources and (side == 0 or not self.side.sources):
            self.side.show(event.sources)
        view.say(f"reading {len(event.sources)} sources, found by {event.by}…", side)

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

    def action_editor(self) -> None:
        """Write the question in $EDITOR."""
        composer = self.query_one(Composer)
        written = self.app.edit_text(composer.text)
        if written is not None:
            composer.text = written.strip()
            composer.focus()

    def action_sources(self) -> None:
        """To the sources of the last answer."""
        self.set_class(True, "-sources")
        self.side.listing.focus()
        self.refresh_bindings()

    @on(SourcesPane.Opened)
    async def _opened(self, event: SourcesPane.Opened) -> None:
        """A newcomer who opens a paper of the reading path has it read."""
        event.stop()
        last = self.session.exchanges[-1] if self.session.exchanges else None
        onboarding = self.chat.onboarding
        if last is not None and last.mode is Mode.ONBOARD and onboarding is not None:
            await asyncio.to_thread(onboarding.mark, event.source.paper)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Only what makes sense now."""
        if not self.is_mounted:
            return True
        idle = self._answering is None
        said = bool(self.session.exchanges)
        last = self.session.exchanges[-1] if said else None
        two = idle and last is not None and last.other is not None
        sensible = {
            "stop": not idle,
            "new": idle and said,
            "conversations": idle,
            "retry": idle and bool(self.session.last_question),
            "copy": idle and said,
            "copy_part": idle and said,
            "edit": idle and said,
            "branches": idle and said,
            "search": idle,
            "rename": idle and said,
            "left": two,
            "right": two,
            "go_on": idle and last is not None and last.answer.cut and bool(last.answer.text),
            "feedback": idle and said,
            "export": idle and said,
            "sources": bool(self.side.sources),
            "engine": self.session.card is None,
        }
        return sensible.get(action, True)
