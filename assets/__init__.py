"""Themes, prompts, prices and the sample corpus, read through importlib.resources."""
