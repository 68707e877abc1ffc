"""Hyper-parameter search in which every strategy gets as many trials, chosen by validation."""
