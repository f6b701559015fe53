"""A study of many trainings: its plan, one training of it, and what may be concluded."""
