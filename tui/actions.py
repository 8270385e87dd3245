"""The one registry of actions: every key, footer entry, help line and palette command is made here.

An action's id is `<scope>.<name>`; its scope says where it is alive: `app` everywhere, a screen's
scope on that screen, a widget's scope while the widget has the focus. Nothing here imports
textual, so that `papertune doctor` can check a keymap without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """Something a key does.

    `keys` is comma separated, the first one is shown. `label` is the footer's word, `description`
    the sentence of help and palette. `rank` orders the footer, 1 first; 0 keeps an action out of
    it. `call` is the textual action when it is not the id's own name. `hides` names actions of the
    enclosing screen whose key this one takes on purpose while its widget has the focus.
    """

    id: str
    keys: str
    label: str
    description: str
    rank: int = 0
    call: str = ""
    palette: bool = True
    hides: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        """Where the action is alive."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """What textual runs: `corpus.add-folder` calls `action_add_folder`."""
        return self.call or self.id.partition(".")[2].replace("-", "_")


SCOPES: dict[str, str] = {
    "app": "Everywhere",
    "list": "In a list",
    "menu": "In a menu",
    "reader": "While reading",
    "dialog": "In a dialog",
    "confirm": "In a question",
    "choose": "In a choice",
    "help": "In this help",
    "welcome": "Welcome",
    "corpus": "Corpus",
    "problems": "Problems",
    "datasets": "Datasets",
    "report": "Report",
    "review": "Review",
    "jobs": "Jobs",
    "chat": "Chat",
    "transcript": "While reading a conversation",
    "composer": "While writing a question",
    "sources": "While reading sources",
    "evaluation": "Evaluation",
    "settings": "Settings",
}
"""Every scope with its heading in the help."""

WITHIN: dict[str, tuple[str, ...]] = {
    "welcome": ("menu",),
    "corpus": ("list", "reader"),
    "problems": ("list",),
    "datasets": ("list",),
    "report": ("reader",),
    "review": ("reader",),
    "jobs": ("list",),
    "chat": ("list", "reader", "transcript", "composer", "sources"),
    "evaluation": ("list", "reader"),
    "settings": ("list",),
}
"""Which widgets' scopes can have the focus on which screen; keys must not collide along a row."""

REGISTRY: tuple[Action, ...] = (
    Action("app.corpus", "1", "Corpus", "Go to the corpus", call="mode('corpus')"),
    Action("app.datasets", "2", "Datasets", "Go to the datasets", call="mode('datasets')"),
    Action("app.jobs", "3", "Jobs", "Go to the fine-tuning jobs", call="mode('jobs')"),
    Action("app.chat", "4", "Chat", "Go to the chat", call="mode('chat')"),
    Action("app.evaluation", "5", "Evaluation", "Go to evaluation", call="mode('evaluation')"),
    Action("app.settings", "6", "Settings", "Go to the settings", call="mode('settings')"),
    Action("app.help", "?", "Help", "Show what each key does here", rank=99),
    Action(
        "app.palette",
        "ctrl+p",
        "Palette",
        "Find any action by its name",
        rank=90,
        call="command_palette",
        palette=False,
    ),
    Action("app.next-pane", "tab", "Pane", "Next pane", call="focus_next", palette=False),
    Action(
        "app.previous-pane",
        "shift+tab",
        "Pane",
        "Previous pane",
        call="focus_previous",
        palette=False,
    ),
    Action("app.theme", "ctrl+t", "Theme", "Change to the next theme"),
    Action("app.redraw", "ctrl+l", "Redraw", "Draw the whole screen again"),
    Action(
        "app.suspend",
        "ctrl+z",
        "Suspend",
        "Put papertune in the background (fg brings it back)",
        call="suspend_process",
    ),
    Action("app.interrupt", "ctrl+c", "", "Say how to leave", palette=False),
    Action("app.quit", "ctrl+q", "Quit", "Leave papertune; jobs go on running", rank=98),
    # Lists
    Action("list.down", "j,down", "Down", "Next row", palette=False),
    Action("list.up", "k,up", "Up", "Previous row", palette=False),
    Action("list.first", "g,home", "Top", "First row", palette=False),
    Action("list.last", "G,end", "Bottom", "Last row", palette=False),
    Action("list.page-down", "pagedown,ctrl+d", "Page", "One page down", palette=False),
    Action("list.page-up", "pageup,ctrl+u", "Page", "One page up", palette=False),
    Action(
        "list.open",
        "enter",
        "Open",
        "Open the row",
        rank=10,
        palette=False,
        hides=("chat.ask",),
    ),
    Action("list.mark", "space", "Select", "Select the row, or take it back", rank=30),
    Action("list.range", "v", "Range", "Select from the last selected row to here"),
    Action("list.all", "*", "All", "Select everything listed, or nothing"),
    # A handful of choices
    Action("menu.down", "j,down", "Down", "Next choice", call="cursor_down", palette=False),
    Action("menu.up", "k,up", "Up", "Previous choice", call="cursor_up", palette=False),
    Action("menu.open", "enter,space", "Take", "Take it", rank=10, call="select", palette=False),
    # Reading
    Action("reader.down", "j,down", "Down", "One line down", palette=False),
    Action("reader.up", "k,up", "Up", "One line up", palette=False),
    Action("reader.first", "g,home", "Top", "Start of the text", palette=False),
    Action("reader.last", "G,end", "Bottom", "End of the text", palette=False),
    Action("reader.page-down", "space,pagedown,ctrl+d", "Page", "One page down", palette=False),
    Action("reader.page-up", "pageup,ctrl+u", "Page", "One page up", palette=False),
    Action(
        "reader.find",
        "/",
        "Find",
        "Find words in this text",
        rank=10,
        hides=("corpus.filter",),
    ),
    Action(
        "reader.next", "n", "Next hit", "Next place found", hides=("chat.new", "evaluation.run")
    ),
    Action("reader.previous", "N", "Previous hit", "Previous place found"),
    Action("reader.next-section", "]", "Section", "Next section"),
    Action("reader.previous-section", "[", "Section", "Previous section"),
    Action("reader.outline", "o", "Outline", "Choose a section", rank=11, hides=("chat.mode",)),
    # Dialogs and help
    Action("dialog.close", "escape", "Close", "Leave without doing anything", palette=False),
    Action("confirm.yes", "y", "Yes", "Do it", palette=False),
    Action("confirm.no", "n,enter", "No", "Leave it", call="close", palette=False),
    Action("choose.down", "j", "Down", "Next choice", palette=False),
    Action("choose.up", "k", "Up", "Previous choice", palette=False),
    Action("help.close", "escape,?,q", "Close", "Close the help", palette=False),
    Action("help.down", "j,down", "Down", "One line down", palette=False),
    Action("help.up", "k,up", "Up", "One line up", palette=False),
    Action("help.page-down", "space,pagedown", "Page", "One page down", palette=False),
    Action("help.page-up", "pageup", "Page", "One page up", palette=False),
    # Welcome
    Action("welcome.quickstart", "s", "Sample", "The whole job on the sample papers", rank=1),
    Action("welcome.papers", "p", "Papers", "Start from a folder of papers", rank=2),
    Action("welcome.workspace", "w", "Workspace", "Open a workspace that exists", rank=3),
    # Corpus
    Action("corpus.filter", "/", "Filter", "Filter the list as you type", rank=5),
    Action("corpus.add", "a", "Add", "Add papers from a file or folder", rank=15),
    Action("corpus.to-dataset", "d", "To dataset", "Add the selection to a dataset", rank=20),
    Action("corpus.tag", "t", "Tag", "Tag the selection", rank=40),
    Action("corpus.private", "p", "Private", "Mark the selection private, or not", rank=45),
    Action("corpus.passages", "m", "Passages", "Search papers or single passages", rank=35),
    Action("corpus.copy", "y", "Copy", "Copy the citation, or the text found", rank=50),
    Action("corpus.editor", "e", "Editor", "Open the text in $EDITOR", rank=55),
    Action("corpus.problems", "!", "Problems", "Files that could not be read, and why", rank=60),
    Action("corpus.remove", "x", "Remove", "Remove the selection from the corpus"),
    Action("corpus.back", "escape", "Back", "Back, or cancel what is running", rank=12),
    Action("problems.copy", "y", "Copy", "Copy the file's path", rank=10),
    Action("problems.back", "escape", "Back", "Back to the corpus", rank=20),
    # Datasets
    Action("datasets.new", "n", "New", "Start a dataset", rank=12),
    Action("datasets.add", "a", "Add", "Add examples: pairs, summaries, full text", rank=14),
    Action("datasets.review", "r", "Review", "Review drafts, one key each", rank=16),
    Action("datasets.split", "s", "Split", "Give every example its role", rank=18),
    Action("datasets.check", "c", "Check", "Check the dataset against every rule", rank=20),
    Action("datasets.freeze", "z", "Freeze", "Freeze a version to train on", rank=22),
    Action("datasets.remove", "x", "Remove", "Remove the dataset"),
    Action("report.copy", "y", "Copy", "Copy the report", rank=10),
    Action("report.back", "escape", "Back", "Back to the datasets", rank=20),
    Action("review.accept", "a", "Accept", "Accept the example", rank=1),
    Action("review.reject", "r", "Reject", "Reject the example", rank=2),
    Action("review.edit", "e", "Edit", "Edit the example in $EDITOR", rank=3),
    Action("review.skip", "s", "Skip", "Leave it for later", rank=4),
    Action("review.undo", "u", "Undo", "Take back the last decision", rank=5),
    Action("review.copy", "y", "Copy", "Copy question and answer"),
    Action("review.back", "escape", "Back", "Back; the place is kept", rank=6),
    # Jobs
    Action("jobs.new", "n", "New", "Fine-tune a model on a frozen dataset", rank=12),
    Action("jobs.open", "o", "Open", "Show the job's curves and events"),
    Action("jobs.cancel", "x", "Stop", "Stop the job; its last checkpoint is kept", rank=20),
    Action("jobs.engine", "e", "Engine", "Start the local engine", rank=40),
    Action("jobs.log", "l", "Log scale", "Losses on a linear or logarithmic scale", rank=50),
    Action("jobs.smooth", "s", "Smooth", "Smooth the train loss: none, some, much", rank=52),
    Action("jobs.copy", "y", "Copy", "Copy the new model's name, or the job's id", rank=55),
    Action("jobs.back", "escape", "Back", "Back to the list", rank=80),
    # Chat
    Action("chat.ask", "i,enter", "Ask", "Type a question", rank=10),
    Action("chat.stop", "escape", "Stop", "Stop the model; what it said is kept", rank=1),
    Action("chat.arm", "a", "Arm", "Tuned or base, with or without sources", rank=14),
    Action("chat.sources", "s", "Sources", "To the sources of the answer", rank=16),
    Action("chat.feedback", "f", "Feedback", "Say what about the answer is good or bad", rank=18),
    Action("chat.retry", "r", "Retry", "Ask the last question again", rank=20),
    Action("chat.new", "n", "New", "Begin a new conversation", rank=30),
    Action("chat.conversations", "c", "Earlier", "Go on with an earlier conversation", rank=32),
    Action("chat.model", "m", "Model", "Choose the model to ask", rank=34),
    Action(
        "chat.mode", "o", "Mode", "Ask, summarise, brainstorm, onboard", rank=36, call="purpose"
    ),
    Action("chat.copy", "y", "Copy", "Copy the answer", rank=38),
    Action("chat.editor", "e", "Editor", "Write the question in $EDITOR", rank=40),
    Action("chat.export", "x", "Export", "Write the conversation to a Markdown file", rank=42),
    Action("chat.engine", "E", "Engine", "Start the local engine", rank=44),
    Action(
        "composer.send",
        "enter",
        "Send",
        "Send the question",
        rank=1,
        palette=False,
        hides=("chat.ask",),
    ),
    Action("composer.newline", "ctrl+j", "New line", "Begin a new line", rank=2, palette=False),
    Action(
        "composer.leave",
        "escape",
        "Keys",
        "Leave the line; single keys work again",
        rank=3,
        palette=False,
        hides=("chat.stop",),
    ),
    Action(
        "sources.back",
        "escape",
        "Back",
        "Back to the conversation",
        rank=12,
        palette=False,
        hides=("chat.stop",),
    ),
    Action("transcript.down", "j,down", "Down", "One line down", call="scroll_down", palette=False),
    Action("transcript.up", "k,up", "Up", "One line up", call="scroll_up", palette=False),
    Action("transcript.first", "g,home", "Top", "To the top", call="scroll_home", palette=False),
    Action("transcript.last", "G,end", "Bottom", "To the end", call="scroll_end", palette=False),
    Action(
        "transcript.page-down",
        "space,pagedown,ctrl+d",
        "Page",
        "One page down",
        call="page_down",
        palette=False,
    ),
    Action(
        "transcript.page-up", "pageup,ctrl+u", "Page", "One page up", call="page_up", palette=False
    ),
    # Evaluation
    Action("evaluation.run", "n", "Measure", "Measure a fine-tuned model", rank=12),
    Action("evaluation.all", "w", "All/wrong", "Every answer, or the wrong ones", rank=20),
    Action("evaluation.copy", "y", "Copy", "Copy the report", rank=50),
    Action("evaluation.back", "escape", "Back", "Back, or stop measuring", rank=80),
    # Settings
    Action("settings.test", "t", "Test", "Test the endpoint with one harmless call", rank=12),
    Action("settings.default", "d", "Default", "Send chat and jobs to this endpoint", rank=14),
    Action("settings.forget", "f", "Forget key", "Forget the endpoint's key", rank=16),
    Action(
        "settings.trust", "p", "Trust", "Let private papers go to the endpoint, or not", rank=18
    ),
    Action("settings.consent", "c", "Consent", "Let texts go to the endpoint, or not", rank=20),
    Action("settings.remove", "x", "Remove", "Remove the endpoint and its key", rank=22),
    Action("settings.start", "e", "Start", "Start the local engine", rank=24),
    Action("settings.stop", "E", "Stop", "Stop the local engine; jobs go on training", rank=26),
    Action("settings.add", "a", "Add", "Add an endpoint by its URL", rank=40),
    Action("settings.copy", "y", "Copy", "Copy the value", rank=50),
)
"""Every action there is, in the order in which help and palette list them."""

ACTIONS: dict[str, Action] = {action.id: action for action in REGISTRY}
"""The registry by id."""


def of_scope(scope: str) -> Iterable[Action]:
    """The actions of one scope, in order."""
    return (action for action in REGISTRY if action.scope == scope)


def rows() -> Iterable[tuple[str, ...]]:
    """The chains of scopes that can be alive together: app, a screen, one of its widgets.

    Dialogs and the help cover the app, so their keys may be the app's.
    """
    yield from (("dialog", "confirm"), ("dialog", "choose"), ("help",))
    for screen, widgets in WITHIN.items():
        yield ("app", screen)
        for widget in widgets:
            yield ("app", screen, widget)
