"""Chance without chance: what a prompt is drawn for is a hash of it, so that every run draws the same."""

from hashlib import sha256


def drawn(seed: int, id: str, language: str, what: str) -> float:
    """A number in [0, 1) that looks drawn: the same for the same four, whatever else is in the run."""
    digest = sha256(f"{seed}|{id}|{language}|{what}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8]) / 2**64
