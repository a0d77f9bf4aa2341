"""Who asks: keys, and access tokens with their life."""
