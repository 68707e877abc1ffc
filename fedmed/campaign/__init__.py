"""Many runs as one piece of work: which ones, which are done already, who does the rest, and how far they are."""
