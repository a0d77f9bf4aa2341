"""Authentication: API keys, and access tokens that are fetched, shared and replaced."""
