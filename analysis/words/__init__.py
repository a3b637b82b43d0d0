"""Measures what becomes of a word's two vectors when they are combined."""
