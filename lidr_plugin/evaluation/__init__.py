"""What models are worth: benchmarks, a judge, the gate, the probe."""
