"""Measurements; each prints its result as a ratio against a limit or a peer in the same run."""
