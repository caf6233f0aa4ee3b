"""Pictures as data: read from files and written, cropped, moved and resampled."""
