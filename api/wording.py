"""Messages as Python says them: where the commands name an option, the argument that does the same."""

import re

COMMAND = re.compile(r"`t2iflow (run|resume|sweep) (?:'([^'`]+)'|([^'`\s]+))`")
SETTING = re.compile(r"`--set ([^`=\s]+)=([^`]*)`")
OFF = re.compile(r"`--no-([a-z-]+)`")
OPTION = re.compile(r"`--([a-z][a-z-]*)(?: ([^`]+))?`")


def in_python(message: str) -> str:
    """A message with arguments in place of options: `--frames 3` is `frames=3`, `--set a.b=1` is `set={"a.b": 1}`; and
    with calls in place of commands on one folder or recipe."""
    message = COMMAND.sub(_call, message)
    message = SETTING.sub(lambda found: f'`set={{"{found[1]}": {_value(found[2])}}}`', message)
    message = OFF.sub(lambda found: f"`{_name(found[1])}=False`", message)
    return OPTION.sub(_argument, message)


def _call(found: re.Match[str]) -> str:
    return f"`t2iflow.{found[1]}({_value(found[2] or found[3])})`"


def _argument(found: re.Match[str]) -> str:
    name, value = _name(found[1]), found[2]
    return f"`{name}`" if value is None else f"`{name}={_value(value)}`"


def _name(option: str) -> str:
    return option.replace("-", "_")


def _value(text: str) -> str:
    """What an option was given, as Python writes it; `...` and words in capitals stand for what isn't said."""
    if re.fullmatch(r"-?\d+(\.\d+)?|\.\.\.|[A-Z]+", text):
        return text
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))
