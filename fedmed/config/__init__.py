"""What a run is made of: typed settings, options found in source files, composition, and every check before data is read."""
