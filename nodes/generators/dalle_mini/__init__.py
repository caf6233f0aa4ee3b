"""DALL-E mini: from a text to codes to pictures."""
