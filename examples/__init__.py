"""The recipes that ship: `t2iflow run hello` finds them by name."""
