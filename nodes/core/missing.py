"""What a perceptor may lack; the command line ends with a code of its own for both."""


class MissingPackageError(RuntimeError):
    """A package is not installed, or does not work with the others; the text says what to install."""


class MissingWeightsError(RuntimeError):
    """Weights are neither here nor available elsewhere; the text says which, and how to get them."""
