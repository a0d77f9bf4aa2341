"""An access review: who is in which user group, from credentials alone."""
