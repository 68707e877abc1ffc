"""What a run shows and leaves behind: directory, checkpoints, progress, final table, picture of the federation."""
