"""Whether methods do what their papers claim: studies, each a file beside this one, how they run and are reported."""
