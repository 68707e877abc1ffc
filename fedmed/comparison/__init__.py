"""Runs side by side: reading them from their directories, checking that they are comparable, and their statistics."""
