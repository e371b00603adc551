"""A small world with known truth: tasks whose answers are right or wrong beyond doubt, in three languages."""
