"""Scores of networks: metrics, comparisons, robustness, what a network sees."""
