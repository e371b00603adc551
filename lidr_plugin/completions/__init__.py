"""Requests, the store of their answers, and how many of them are asked at once."""
