"""What people call by hand, most of it by a word of the Makefile."""
