"""Many runs of one recipe: the cells of a sweep, the folder that is their queue, and those who make them."""
