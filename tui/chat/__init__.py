"""Asking a team's papers: retrieve, compose the prompt, stream, cite and verify, remember."""

from tui.chat.conversations import Conversations
from tui.chat.events import Piece, Question, SourcesFound, Working
from tui.chat.feedback import FeedbackStore
from tui.chat.scope import Scope
from tui.chat.service import Chat

__all__ = [
    "Chat",
    "Conversations",
    "FeedbackStore",
    "Piece",
    "Question",
    "Scope",
    "SourcesFound",
    "Working",
]
