"""The gate: which commit is compared with, what is read there and here, the judgement, and reproduction."""
