"""What can't be done as it was asked for, and the exit code that says so."""

from t2iflow.pipelines.problems import RecipeError
from t2iflow.runner.exits import FAILED, INVALID, USAGE, NoDeviceError, UsageError
from t2iflow.runner.folder.claim import FolderError, NotResumableError

REFUSALS = (RecipeError, UsageError, NoDeviceError, FolderError)
"""What is raised before anything runs."""


def code(refusal: Exception) -> int:
    """The exit code for one of these."""
    if isinstance(refusal, RecipeError):
        return INVALID
    return FAILED if isinstance(refusal, FolderError) and not isinstance(refusal, NotResumableError) else USAGE
