"""One provider's HTTP: requests out, responses in."""
