"""The report: its page, figures, languages and templates."""
