"""What the data is, as arrays: images, labels, splits, and the description of all of it."""
