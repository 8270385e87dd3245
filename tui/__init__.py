"""papertune: the application without its pictures."""
