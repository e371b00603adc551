"""Scripts that run in the environment of `lidr env create train`, without lidr's own dependencies."""
