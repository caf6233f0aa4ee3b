"""Everything that computes: see `node.py` for what a node is, and CONTRIBUTING.md for where to add one."""
