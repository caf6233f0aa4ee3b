"""Files as people's cameras, phones and tools write them: each kind is read for what it shows or sounds like."""

import math
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from PIL.PngImagePlugin import PngInfo

from t2iflow.nodes import images, video
from t2iflow.nodes.core.ambient import Tick
from t2iflow.nodes.core.ffmpeg import ffmpeg
from t2iflow.nodes.core.types import exact
from t2iflow.nodes.film import decoder, sound
from t2iflow.nodes.pictures import codec
from tests.nodes.conftest import Heard

CPU = torch.device("cpu")
DEPTH = np.linspace(0, 65535, 32 * 24).reshape(24, 32).astype(np.uint16)
GREY = PIL.Image.fromarray((DEPTH >> 8).astype(np.uint8))
PICTURE = PIL.Image.merge("RGB", (GREY, GREY.rotate(180), GREY))


def coded(path: Path, *options: str) -> Path:
    subprocess.run([ffmpeg(), "-v", "error", "-y", *options, str(path)], check=True)
    return path


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tif", "avif", "ppm", "tga", "ico"])
def test_pictures_of_every_common_kind_are_read(suffix: str, tmp_path: Path) -> None:
    if suffix == "avif" and ".avif" not in PIL.Image.registered_extensions():
        pytest.skip("this Pillow reads no AVIF")
    PICTURE.save(tmp_path / f"a.{suffix}", **({"sizes": [(32, 24)]} if suffix == "ico" else {}))
    image = images.load(CPU, file=str(tmp_path / f"a.{suffix}"), size=(32, 24))
    wanted = codec.to_tensor(PICTURE)
    assert (image - wanted).abs().mean() < (0.05 if suffix == "gif" else 0.015)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_of_moving_pictures_the_first_is_read(suffix: str, tmp_path: Path) -> None:
    first, second = (PIL.Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=[second])
    assert images.load(CPU, file=str(tmp_path / f"a.{suffix}"))[0, :, 4, 4].tolist() == pytest.approx(
        [1, 0, 0], abs=0.02
    )


def deep(kind: str, path: Path) -> str:
    """A picture of more than 8 bits, brighter from pixel to pixel."""
    file = path / f"deep.{kind.rpartition(' ')[2]}"
    if kind == "floats tif":
        PIL.Image.fromarray((DEPTH / 65535).astype(np.float32)).save(file)
    elif kind == "pgm":
        file.write_bytes(b"P5 32 24 65535\n" + DEPTH.astype(">u2").tobytes())
    else:
        PIL.Image.fromarray(DEPTH).save(file)
    return str(file)


@pytest.mark.parametrize("kind", ["png", "tif", "pgm", "floats tif"])
def test_depth_of_16_bits_keeps_them(kind: str, tmp_path: Path) -> None:
    file = deep(kind, tmp_path)
    wanted = torch.from_numpy(DEPTH / 65535).float()
    assert torch.allclose(images.mask(CPU, file=file)[0, 0], wanted, atol=1e-6)
    assert torch.allclose(images.load(CPU, file=file)[0, 2], wanted, atol=1e-6)


def test_colours_of_16_bits_are_read(tmp_path: Path) -> None:
    rows = b"".join(b"\0" + struct.pack(">3H", 65535, 32768, 0) * 4 for _ in range(4))
    header = struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    assert images.load(CPU, file=str(tmp_path / "a.png"))[0, :, 2, 2].tolist() == pytest.approx([1, 0.5, 0], abs=0.005)


def test_floats_beyond_white_are_refused_with_what_to_do(tmp_path: Path) -> None:
    for number, worst in enumerate((40.0, -3.0, math.nan, math.inf)):
        PIL.Image.fromarray(np.array([[0.5, worst]], np.float32)).save(tmp_path / f"{number}.tif")
        with pytest.raises(ValueError, match=rf"`{number}.tif` has floats from .*-auto-level"):
            images.mask(CPU, file=str(tmp_path / f"{number}.tif"))


def test_an_opaque_mask_is_its_brightness(tmp_path: Path) -> None:
    for mode in ("RGBA", "LA"):
        GREY.convert(mode).save(tmp_path / "a.png")
        assert torch.allclose(images.mask(CPU, file=str(tmp_path / "a.png")), codec.to_tensor(GREY), atol=0.005)


def test_texts_and_profiles_of_any_length_are_passed_over(tmp_path: Path) -> None:
    long = PngInfo()
    long.add_text("a", "x" * 3_000_000, zip=True)
    long.add_itxt("b", "x" * 3_000_000, zip=True)
    PICTURE.save(tmp_path / "a.png", pnginfo=long, icc_profile=bytes(5_000_000))
    image = images.load(CPU, file=str(tmp_path / "a.png"))
    assert torch.equal(image, codec.to_tensor(PICTURE))


@pytest.mark.parametrize(("suffix", "away"), [("jpg", 0.02), ("png", 0.005), ("tif", 0.005)])
def test_a_large_picture_is_shrunk_while_it_is_read(suffix: str, away: float, tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # lies on its side: turn it clockwise
    large = PICTURE.resize((1600, 1200), PIL.Image.Resampling.BICUBIC)
    large.save(tmp_path / f"a.{suffix}", exif=exif)
    assert max(codec.read(str(tmp_path / f"a.{suffix}"), (24, 32)).size) <= 200
    image = images.load(CPU, file=str(tmp_path / f"a.{suffix}"), size=(24, 32))
    wanted = codec.to_tensor(PICTURE.transpose(PIL.Image.Transpose.ROTATE_270))
    assert (image - wanted).abs().mean() < away


CODECS = {
    "hevc.mp4": "-c:v libx265 -x265-params log-level=none -pix_fmt yuv420p10le -crf 5",
    "vp9.webm": "-c:v libvpx-vp9 -profile:v 2 -pix_fmt yuv420p10le -crf 5 -b:v 0 -cpu-used 8",
    "prores.mov": "-c:v prores_ks -pix_fmt yuv422p10le",
    "ffv1.mkv": "-c:v ffv1 -pix_fmt yuv444p12le",
    "grey.mkv": "-c:v ffv1 -pix_fmt gray16le",
    "odd.mkv": "-c:v ffv1 -pix_fmt bgr0 -vf crop=31:23:0:0:exact=1",
    "clip.ts": "-c:v mpeg2video -q:v 2",
    "clip.flv": "-c:v flv1 -q:v 2",
    "clip.wmv": "-c:v wmv2 -q:v 2",
    "clip.apng": "-c:v apng",
    "clip.ogv": "-c:v libtheora -q:v 10",
}


@pytest.mark.parametrize("name", CODECS)
def test_films_of_any_depth_and_kind_are_read(name: str, notes: Heard, tmp_path: Path) -> None:
    path = coded(tmp_path / name, "-f", "lavfi", "-i", "color=0x4080c0:s=32x24:r=24:d=0.2", *CODECS[name].split())
    film = video.Frames(CPU, notes, file=str(path))
    colour = film(Tick()).image[0, :, 12, 12]
    film.close()
    luma = (colour * torch.tensor([0.3, 0.59, 0.11])).sum().item()
    assert luma == pytest.approx(0.46, abs=0.03)
    if name != "grey.mkv":
        assert colour.tolist() == pytest.approx([0.25, 0.5, 0.75], abs=0.04)


def test_a_film_in_high_definition_without_tags_has_the_colours_of_bt_709(notes: Heard, tmp_path: Path) -> None:
    source = ["-f", "lavfi", "-i", "color=0x20c020:s=1280x720:r=24:d=0.05,format=rgb24"]
    for matrix, tags in (("bt709", "setparams=colorspace=unknown"), ("smpte170m", "setparams=colorspace=smpte170m")):
        made = f"scale=out_color_matrix={matrix},format=yuv420p,{tags}"
        path = coded(tmp_path / f"{matrix}.mp4", *source, "-vf", made, "-c:v", "libx264", "-crf", "1")
        film = video.Frames(CPU, notes, file=str(path), size=(32, 18))
        assert film(Tick()).image[0, :, 9, 9].tolist() == pytest.approx([0.125, 0.753, 0.125], abs=0.02)
        film.close()


@pytest.mark.parametrize(("shape", "wide"), [("2/1", 64), ("1/2", 16), ("10/11", 29), ("1/1", 32), ("0/1", 32)])
def test_pixels_of_a_film_that_are_not_square_are_made_so(shape: str, wide: int, notes: Heard, tmp_path: Path) -> None:
    source = ["-f", "lavfi", "-i", f"color=0x4080c0:s=32x24:r=24:d=0.2,setsar={shape}"]
    path = coded(tmp_path / "a.mp4", *source, "-c:v", "libx264", "-pix_fmt", "yuv420p")
    film = video.Frames(CPU, notes, file=str(path))
    assert tuple(film(Tick()).image.shape) == (1, 3, 24, wide)
    film.close()
    assert decoder.about(str(path)).size == (wide, 24)


@pytest.mark.parametrize(
    ("rate", "ratio"),
    [(23.976, "24000/1001"), (29.97, "30000/1001"), (59.94, "60000/1001"), (24, "24"), (12.5, "25/2"), (30, "30")],
)
def test_rates_stand_for_what_people_mean(rate: float, ratio: str) -> None:
    assert str(exact(rate)) == ratio


def tag(length: int) -> bytes:
    """An ID3 tag."""
    return b"ID3\x04\0\0" + bytes(length >> shift & 0x7F for shift in (21, 14, 7, 0)) + bytes(length)


@pytest.mark.parametrize("suffix", ["flac", "wav", "aiff", "aac", "ogg", "mp3", "m4a"])
def test_sounds_behind_tags_are_heard(suffix: str, tmp_path: Path) -> None:
    path = coded(tmp_path / f"a.{suffix}", "-f", "lavfi", "-i", "sine=440:d=0.5")
    plain = sound.bands(str(path))
    for name, tags in (("one", tag(3000)), ("two", tag(300) + tag(100))):
        (tmp_path / f"{name}.{suffix}").write_bytes(tags + path.read_bytes())
        assert np.allclose(sound.bands(str(tmp_path / f"{name}.{suffix}"))[2:40], plain[2:40], rtol=0.01, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.w64", "pcm_s16le"), ("a.caf", "pcm_s16le"), ("alac.caf", "alac"), ("a.au", "pcm_s16be"), ("a.wv", "wavpack")],
)
def test_sounds_as_audio_workstations_write_them_are_heard(name: str, codec: str, tmp_path: Path) -> None:
    path = coded(tmp_path / name, "-f", "lavfi", "-i", "sine=440:d=0.5", "-c:a", codec)
    sound.look(path)
    assert sound.bands(str(path))[20].argmax() == 4  # 440 Hz


def wav(path: Path, samples: list[float], rate: int = 48_000, channels: int = 1) -> Path:
    """A WAV of floats."""
    data = struct.pack(f"<{len(samples)}f", *samples)
    form = struct.pack("<IHHIIHH", 16, 3, channels, rate, rate * 4 * channels, 4 * channels, 32)
    size = struct.pack("<I", 36 + len(data))
    path.write_bytes(b"RIFF" + size + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data)
    return path


def test_samples_that_are_no_numbers_are_silent(tmp_path: Path) -> None:
    tone = [0.5 * math.sin(time / 20) for time in range(24_000)]
    broken = [math.nan if 5000 < time < 7000 else level for time, level in enumerate(tone)]
    muted = [0.0 if 5000 < time < 7000 else level for time, level in enumerate(tone)]
    heard, wanted = (
        sound.bands(str(wav(tmp_path / name, some))) for name, some in (("b.wav", broken), ("m.wav", muted))
    )
    assert np.allclose(heard, wanted)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (48_000, 6), (192_000, 2), (11_025, 1)])
def test_sounds_of_any_rate_and_channels_are_heard(rate: int, channels: int, tmp_path: Path) -> None:
    path = wav(
        tmp_path / "a.wav",
        [0.3 * math.sin(n // channels * 2764 / rate) for n in range(rate // 2 * channels)],
        rate,
        channels,
    )
    curve = sound.bands(str(path))
    assert curve[20].argmax() == 4  # 440 Hz


LOOKS = {"picture": codec.look, "film": decoder.look, "sound": sound.look}


@pytest.mark.parametrize("kind", LOOKS)
def test_what_is_empty_or_no_such_file_is_refused(kind: str, tmp_path: Path) -> None:
    for content in (
        b"",
        b"a fox",
        bytes(5000),
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\0\0\0\0WAVE",
        b"ID3" + bytes(20),
    ):
        (tmp_path / "a").write_bytes(content)
        with pytest.raises(ValueError, match="a`"):
            LOOKS[kind](tmp_path / "a")
