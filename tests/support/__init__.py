"""What tests and benchmarks share: a fake model, a fake server, an oracle."""
