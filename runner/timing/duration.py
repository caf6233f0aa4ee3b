"""Spans of time in words."""


def duration(seconds: float) -> str:
    """Seconds as people say them: `40 s`, `3 min 20 s`, `2 h 5 min`, `3 days 4 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two(whole, 60, "min", "s")
    if whole < 48 * 3600:
        return _two(round(whole / 60), 60, "h", "min")
    return _two(round(whole / 3600), 24, "days", "h")


def _two(amount: int, each: int, large: str, small: str) -> str:
    return f"{amount // each} {large}" + (f" {amount % each} {small}" if amount % each else "")
