"""A run that Flower carries out: its app, its SuperLink and SuperNodes, and what sites keep to themselves."""
