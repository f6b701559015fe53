"""The study: its trainings as processes, the cluster that they run on, and its tables."""
