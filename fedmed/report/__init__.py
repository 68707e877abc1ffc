"""What a comparison, or one run, arm_styles like to a reader: tables, figures, and one page that holds them all."""
