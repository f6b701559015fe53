"""The gate: the evaluations that it compares, where it finds them, and whether results are reproduced."""
