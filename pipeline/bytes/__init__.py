"""What decides bytes: the formats and tables of files, descriptions of the data, and how a CPU computes."""
