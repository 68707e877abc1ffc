"""Whole experiments: `fedmed run experiment=smoke`."""
