"""Hydra's configs; imported as fedmed.configs."""
