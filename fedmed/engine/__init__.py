"""Where clients' rounds run; one file per engine, found by its file name."""
