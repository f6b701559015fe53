"""Scaffold that decides no bytes: the command line, paths, files, checks of inputs, costs, git, the live view."""
