"""Language Imbalance Driven Rewarding (arXiv 2410.08964) as a library: from parallel prompts to preference pairs."""

__version__ = "0.1.0"
