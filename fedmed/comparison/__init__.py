"""Runs side by side: read from their directories, told whether they may be compared, and what their differences are."""
