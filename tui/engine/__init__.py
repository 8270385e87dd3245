"""The local engine: Mistral's API over training and chat on this machine.

It runs without the app and the app without it: they meet on HTTP only.
"""
