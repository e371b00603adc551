"""A check on a GPU that needs no weights and no network: `python -m benchmarks.gpu --help`."""
