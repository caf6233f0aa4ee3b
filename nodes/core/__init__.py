"""What every node is made of: marks, types, what a node gets without a wire, and where nodes are found."""
