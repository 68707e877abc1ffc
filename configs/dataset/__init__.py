"""Cards of public federations: `fedmed run dataset=<file>`; the readers themselves are in datasets/."""
