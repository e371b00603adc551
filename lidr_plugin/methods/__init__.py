"""Ways to turn a prompt into rows of a dataset, one file each."""
