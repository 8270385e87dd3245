"""The engine's chat: one interface over what computes answers; today llama.cpp on CPU."""
