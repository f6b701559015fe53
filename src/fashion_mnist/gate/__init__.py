"""The judgement of a change, which model is served, and how both are told."""
