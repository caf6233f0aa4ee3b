"""What ImageNet's 1000 classes are called."""

import importlib.resources


def classes() -> list[str]:
    """The names of each class, in ImageNet's order; ` | ` stands between several."""
    text = (importlib.resources.files(__package__) / "imagenet_classes.txt").read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]
