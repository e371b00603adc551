"""Whole runs: one build, its shards put together, and rounds of all stages."""
