"""BigGAN-deep: the network and its checkpoint."""
