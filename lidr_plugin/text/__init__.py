"""What can be said of a text alone: its language, its numbers, whether it repeats itself."""
