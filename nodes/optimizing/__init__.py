"""What optimiser nodes are made of."""
