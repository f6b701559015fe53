"""Data sets: file formats, checks, scaling, splits, and drawn garments."""
