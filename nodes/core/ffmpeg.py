"""The program that reads and writes films."""

from t2iflow.nodes.core.missing import MissingPackageError


def ffmpeg() -> str:
    """The ffmpeg program that imageio-ffmpeg brings (or that IMAGEIO_FFMPEG_EXE names)."""
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        program: str = get_ffmpeg_exe()
    except (ImportError, RuntimeError) as fault:
        raise MissingPackageError("films need ffmpeg: pip install imageio-ffmpeg") from fault
    return program
