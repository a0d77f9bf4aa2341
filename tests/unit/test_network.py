"""Streams: what has arrived and was not read is known, and closing waits for nothing."""
