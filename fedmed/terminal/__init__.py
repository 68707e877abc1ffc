"""What is printed: the progress of runs, and small tables of results, comparisons and federations."""
