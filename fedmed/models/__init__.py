"""Networks in two parts, `features` and `head`; one file per model, found by its file name."""
