"""Whether methods do what their papers claim: studies, each a file beside this one, and how they are run and told."""
