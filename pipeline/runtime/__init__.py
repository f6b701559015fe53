"""What stages share: the command line, files and formats, what a stage cost, a training shown while it runs."""
