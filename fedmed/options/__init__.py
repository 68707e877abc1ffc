"""Options: what a run can choose, read from source files, and the check of the values that it takes."""
