"""On the chat screen: scopes and their actions."""

from __future__ import annotations

from tui.actions.action import Action

SCOPES = {
    "chat": "Chat",
    "composer": "While writing a question",
    "sources": "While reading sources",
    "transcript": "While reading a conversation",
}

WITHIN: dict[str, tuple[str, ...]] = {
    "chat": ("list", "reader", "transcript", "composer", "sources"),
}

ACTIONS = (
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
    Action("chat.scope", "p", "Papers", "Ask all papers, a tag, a selection, or one", rank=22),
    Action("chat.beside", "b", "Beside", "Ask two arms beside each other, or one", rank=24),
    Action("chat.left", "<", "A better", "The first of the two answers is better", rank=3),
    Action("chat.right", ">", "B better", "The second of the two answers is better", rank=4),
    Action("chat.go-on", "+", "Go on", "Have the model go on with an answer that was cut", rank=6),
    Action("chat.copy", "y", "Copy", "Copy the answer", rank=38),
    Action("chat.copy-part", "Y", "Copy…", "Copy code of the answer, or its sources as BibTeX"),
    Action("chat.editor", "e", "Editor", "Write the question in $EDITOR", rank=40),
    Action("chat.edit", "t", "Edit", "Edit an earlier question and branch off there", rank=41),
    Action("chat.branches", "B", "Branches", "Go to another branch of this conversation"),
    Action("chat.search", "C", "Search", "Find an earlier conversation by its words"),
    Action("chat.rename", "T", "Title", "Give this conversation a title"),
    Action("chat.export", "x", "Export", "Write the conversation to a file or notes", rank=42),
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
)
