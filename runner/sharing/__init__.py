"""Recipes at addresses: which are taken, fetching them, and remembering what was confirmed."""
