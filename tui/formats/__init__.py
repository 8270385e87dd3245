"""The rules of a training file, chat templates and token counts; shared with the engine."""
