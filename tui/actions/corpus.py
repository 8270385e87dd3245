"""On the corpus screens: scopes and their actions."""

from __future__ import annotations

from tui.actions.action import Action

SCOPES = {
    "corpus": "Corpus",
    "problems": "Problems",
}

WITHIN: dict[str, tuple[str, ...]] = {
    "corpus": ("list", "reader"),
    "problems": ("list",),
}

ACTIONS = (
    Action("corpus.filter", "/", "Filter", "Filter the list as you type", rank=5),
    Action("corpus.add", "a", "Add", "Add papers from a file or folder", rank=15),
    Action("corpus.to-dataset", "d", "To dataset", "Add the selection to a dataset", rank=20),
    Action("corpus.tag", "t", "Tag", "Tag the selection", rank=40),
    Action("corpus.private", "p", "Private", "Mark the selection private, or not", rank=45),
    Action("corpus.passages", "m", "Passages", "Search papers or single passages", rank=35),
    Action("corpus.copy", "y", "Copy", "Copy the citation, or the text found", rank=50),
    Action("corpus.editor", "e", "Editor", "Open the text in $EDITOR", rank=55),
    Action("corpus.problems", "!", "Problems", "Files that could not be read, and why", rank=60),
    Action(
        "corpus.narrow", "f", "Narrow", "Keep to a year, author, tag, venue or problem", rank=22
    ),
    Action("corpus.sort", "s", "Sort", "Choose the list's order", rank=24),
    Action("corpus.searches", "l", "Searches", "Saved searches: take, save, forget", rank=26),
    Action("corpus.open-file", "O", "Open file", "Open the paper's file, or copy its path"),
    Action("corpus.merge", "M", "Merge", "Make one work of the selected papers"),
    Action("corpus.split", "S", "Split", "Make a file of the paper a work of its own"),
    Action("corpus.undo", "u", "Undo", "Take back the last merge or split"),
    Action("corpus.remove", "x", "Remove", "Remove the selection from the corpus"),
    Action("corpus.back", "escape", "Back", "Back, or cancel what is running", rank=12),
    Action("problems.recognise", "r", "Recognise", "Recognise the text of scans", rank=7),
    Action("problems.kind", "f", "Kind", "Keep to one kind of problem", rank=8),
    Action("problems.copy", "y", "Copy", "Copy the file's path", rank=10),
    Action("problems.back", "escape", "Back", "Back to the corpus", rank=20),
)
