"""Reusable pictures: domain values in, messages out."""
