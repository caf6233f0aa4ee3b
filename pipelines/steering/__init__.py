"""Steering: a change to a recipe while it runs, as keyframes that leave alone what is painted already."""
