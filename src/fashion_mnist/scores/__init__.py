"""Scores and judgements: metrics, comparisons, robustness, the gate, promotion."""
