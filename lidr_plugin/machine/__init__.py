"""What is around us: environments, GPUs, the Hub, child processes, files that others wrote."""
