"""What a comparison, or one run, looks like to a reader: tables, figures, and one page that holds them all."""
