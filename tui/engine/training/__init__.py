"""Fine-tuning in a process of its own: the worker, and conversions between GGUF and Hugging Face.

Only the modules `trainer`, `model` and `evaluate` import torch, and only the worker imports them.
"""
