"""The registry and the user's keymap: nothing is ignored, nothing is stolen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui.actions import ACTIONS, REGISTRY, SCOPES
from tui.keymap import SWALLOWED, bindings, check, conflicts, load_keymap, normal, shown


def test_no_two_actions_share_a_key_where_both_are_alive() -> None:
    assert list(conflicts({})) == []


def test_no_action_stands_on_a_key_that_terminals_swallow() -> None:
    for action in REGISTRY:
        for key in action.keys.split(","):
            assert normal(key) not in SWALLOWED, action.id


def test_ids_are_unique_and_every_action_has_words() -> None:
    assert len(ACTIONS) == len(REGISTRY)
    for action in REGISTRY:
        assert action.scope in SCOPES and action.description
        assert not action.rank or action.label
        assert set(action.hides) <= set(ACTIONS)


def test_every_binding_carries_its_id() -> None:
    for scope in SCOPES:
        for binding in bindings(scope):
            assert not isinstance(binding, tuple) and binding.id in ACTIONS


@pytest.mark.parametrize(
    ("document", "keys", "problem"),
    [
        ({"corpus.add": "A"}, {"corpus.add": "A"}, ""),
        ({"corpus": {"add": ["A", "f2"]}}, {"corpus.add": "A,f2"}, ""),
        ({"keys": {"app.help": "f1"}}, {"app.help": "f1"}, ""),
        ({"app.help": "?"}, {"app.help": "question_mark"}, ""),
        ({"corpus.ad": "A"}, {}, "Did you mean corpus.add?"),
        ({"nothing.at.all": "A"}, {}, "there is no action"),
        ({"corpus.add": 3}, {}, "needs a key"),
        ({"corpus.add": []}, {}, "needs a key"),
        ({"corpus.add": "ctrl+m"}, {}, "does not reach the app (it is enter)"),
        ({"corpus.add": "ctrl+b"}, {}, "tmux's prefix"),
        ({"corpus.add": "hyper+q"}, {}, "is not a key"),
        ({"corpus.add": "qq"}, {}, "is not a key"),
        ({"corpus.add": "d"}, {}, "d for corpus.add is taken by corpus.to-dataset"),
        ({"corpus.add": "j"}, {}, "j for corpus.add is taken by list.down"),
        ({"corpus.add": "d", "corpus.to-dataset": "a"}, None, ""),
        ({"datasets.new": "a", "datasets.add": "n"}, None, ""),
    ],
)
def test_a_keymap_is_taken_or_each_fault_is_named(
    document: dict[str, Any], keys: dict[str, str] | None, problem: str
) -> None:
    found = check(document)
    if keys is not None:
        assert found.keys == keys
    assert (problem in " ".join(found.problems)) if problem else not found.problems
    assert list(conflicts(found.keys)) == []


def test_a_file_that_cannot_be_read_is_a_problem_and_not_the_end(tmp_path: Path) -> None:
    assert load_keymap(tmp_path / "none.toml").problems == ()
    path = tmp_path / "keymap.toml"
    path.write_bytes(b"= nonsense")
    assert "is not TOML" in load_keymap(path).problems[0]
    path.write_bytes(b"\xff\xfe")
    assert "cannot be read" in load_keymap(path).problems[0]
    path.write_text('[corpus]\nadd = "A"\n')
    assert load_keymap(path).keys == {"corpus.add": "A"}


@pytest.mark.parametrize(
    ("key", "words"),
    [("ctrl+p", "^p"), ("question_mark", "?"), ("escape", "esc"), ("G", "G"), ("pagedown", "pgdn")],
)
def test_keys_are_shown_as_a_person_reads_them(key: str, words: str) -> None:
    assert shown(key) == words
