"""The first start: where to begin."""
