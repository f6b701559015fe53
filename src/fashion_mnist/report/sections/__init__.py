"""The sections of the page: each turns the evidence into finished text, tables and drawings.

A section says every sentence that holds a number; sentences without one are said by the template.
"""
