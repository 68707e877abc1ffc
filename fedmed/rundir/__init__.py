"""What is on disk in a run directory: configuration, rows, result, checkpoints, and what is kept for its report."""
