"""Attacks, one file a class; docs/reliability.md has the table that is made of their heads and counts."""
