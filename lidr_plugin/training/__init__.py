"""From a dataset to the next round's model, through LLaMA-Factory."""
