"""From prompt files to prompts."""
