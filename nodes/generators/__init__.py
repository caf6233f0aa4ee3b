"""The networks that paint, each in the form in which its weights are shared."""
