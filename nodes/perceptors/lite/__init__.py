"""`lite`, the bundled perceptor: a small network that sees, one that reads, and the names of 1000 things."""
