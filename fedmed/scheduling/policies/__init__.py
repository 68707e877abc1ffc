"""Scheduling policies, one a file: `policy=<file>` of `fedmed schedule`."""
