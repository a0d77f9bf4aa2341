"""One provider's wire: requests out, responses in."""
