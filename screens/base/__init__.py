"""The frame that every screen is drawn in, and the pattern that screens follow.

A screen is a package: `screens/<noun>/__init__.py` exports it, `screen.py` and `screen.tcss`
beside it hold it, more modules hold its parts (a file stays under 400 lines). In short::

    class CorpusScreen(BaseScreen[None]):
        NAME = "Corpus"                       # its label in tui.app's MODES
        ABOUT = "Every paper of the team."    # first line of its help
        CSS_PATH = "screen.tcss"              # selectors start with the screen's own class
        BINDINGS = bindings("corpus")         # from tui.actions: `corpus.add` calls `action_add`

        @dataclass
        class Found(Message):                 # what a worker found
            papers: list[Paper]

        def __init__(self, corpus: Corpus) -> None:   # services come by constructor
            super().__init__()
            self._corpus = corpus

        def compose_body(self) -> ComposeResult: ...

        @work(thread=True, exclusive=True, exit_on_error=False, group="search")
        def _search(self, query: str) -> None:        # never touches a widget
            self.post_message(self.Found(self._corpus.papers(query)))

        def on_corpus_screen_found(self, event: Found) -> None:   # handlers own the state
            ...

- **Actions** are declared once, in `tui.actions`; key, footer word, help line, palette entry and
  keymap follow. `check_action` returning False takes an action out of footer and help while it
  makes no sense. Hints in empty states name keys through `self.app.key_for("corpus.add")`.
- **Services** that block run in thread workers, async ones in plain workers; both post messages.
  Always `exit_on_error=False`; `BaseScreen` reports what they raise in one line, so a worker just
  lets a `PapertuneError` rise. An exclusive group makes the last query win; the handler still
  compares the query, because a thread cannot be killed.
- **Foreign text** never reaches a widget as `str`: `Content(text)`. Lists of data are
  `widgets.virtual_list.VirtualList`, long texts `widgets.reader.Reader`.
- **Words**: `self.say(...)` sets the screen's own words in the status line,
  `self.app.flash(...)` a notice, `self.app.report(error)` an error; questions are `Confirm`,
  `Prompt` and `Choose` of `widgets.dialogs`, awaited with `push_screen_wait` in a worker or given a
  callback. Facts that hold across screens go through `self.app.set_status(job=...)`.
- **Size**: every screen works at 80×24; `-narrow` (< 100 columns) and `-wide` are set on it.
- Screens know neither `tui.app` nor one another: they ask for another mode by
  `self.app.run_action("mode('jobs')")`.
"""

from screens.base.screen import BaseScreen
from screens.base.shell import ShellApp

__all__ = ["BaseScreen", "ShellApp"]
