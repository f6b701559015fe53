"""Training and using networks: the training loop, prediction, and the archive that a network is kept in."""
