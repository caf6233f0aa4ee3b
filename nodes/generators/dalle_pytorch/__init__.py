"""DALLE-pytorch: text, transformer, decoders and checkpoints."""
