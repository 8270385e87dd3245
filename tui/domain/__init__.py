"""The words of papertune as frozen values and pure functions; imports nothing of ours."""
