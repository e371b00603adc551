"""LLaMA-Factory recipes, installed with lidr."""
