"""The loop and what it is made of: links, stages, frames, checkpoints and the device."""
