"""CLIP: its networks, and where their weights are found."""
