"""The gate: which commit is compared with, what is read there and here, and whether results are reproduced."""
