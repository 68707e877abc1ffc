"""What a script or a notebook calls; `fedmed` itself lists all of it by name."""
