"""Embeddings without torch: a BERT encoder in numpy, in a process of its own."""
