"""The sections of the page: each turns the evidence into finished text, tables and drawings.

A section says the sentences that need values of its own; the template says all others.
"""
