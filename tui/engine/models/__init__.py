"""The engine's models: what can be fetched, what lies on disk, and what each is made of."""
