"""From prompts and a method to LLaMA-Factory's files."""
