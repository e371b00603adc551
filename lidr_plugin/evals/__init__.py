"""The benchmarks of `lidr eval`, one file each."""
