"""Small weights in the official formats: the same files, the same names of tensors, random values."""
