"""What a perceptor may be missing; the command line has an exit code of its own for both."""


class MissingPackageError(RuntimeError):
    """A package is not installed, or doesn't work with the others; the text says what to install."""


class MissingWeightsError(RuntimeError):
    """Weights are neither here nor available for download; the text says which, and how to get them."""
