"""Processes of our own that take one order after another, so that what they have loaded stays loaded."""
