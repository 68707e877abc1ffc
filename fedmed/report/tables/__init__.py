"""The tables of a report, on the page and as files."""
