"""What a run is made of: settings and options, how they are found, composed and checked before data is read."""
