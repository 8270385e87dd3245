"""The HTTP side of the engine: Mistral's routes, and a few of our own under `/local`."""
