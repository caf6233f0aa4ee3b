"""VQGAN: the network and its normalization."""
