"""Films as data: shot, encoded, decoded, heard."""
