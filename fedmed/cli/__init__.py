"""The `fedmed` command: one file per sub-command; heavy imports happen inside the function that needs them."""
