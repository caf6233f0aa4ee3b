"""The loop and what it is made of: links, stages, recorded steps, frames, checkpoints and the device."""
