"""Presets of methods: `fedmed run strategy=<file>`; the methods themselves are in strategies/."""
