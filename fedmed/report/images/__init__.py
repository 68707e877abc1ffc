"""The images of a report: what was seen, what is true, what was annotated, what was predicted."""
