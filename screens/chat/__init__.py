"""Asking the papers: a conversation, its sources, and what people say of the answers."""

from screens.chat.screen import ChatScreen

__all__ = ["ChatScreen"]
