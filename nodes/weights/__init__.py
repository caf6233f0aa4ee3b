"""Weights of generators: where they come from, how they are fetched, read and kept."""
