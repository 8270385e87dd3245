"""Asking a team's papers: retrieve, compose the prompt, stream, cite and verify, remember."""

from tui.chat.conversations import Conversations
from tui.chat.feedback import FeedbackStore
from tui.chat.service import Chat, Piece, Question, SourcesFound

__all__ = ["Chat", "Conversations", "FeedbackStore", "Piece", "Question", "SourcesFound"]
