"""A finished run as one file: given away, opened elsewhere, and refused where it would do harm."""

import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from tests.runner.conftest import COPY, Command
from tests.runner.test_inputs import PHOTO

GOOD = {"recipe.yaml": COPY}
Zipped = Callable[..., str]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def made(command: Command, tmp_path: Path) -> Path:
    """The folder of a run from two photos."""
    (tmp_path / "pictures").mkdir()
    for name, colour in {"photo": "red", "second": "blue"}.items():
        PIL.Image.new("RGB", (8, 8), colour).save(tmp_path / "pictures" / f"{name}.png")
    folder = command("run", PHOTO, "--seed", "5").folder
    assert folder
    return folder


@pytest.fixture
def away(made: Path, command: Command, tmp_path: Path) -> str:
    """Its bundle, in a folder for downloads, where nothing of the run is left."""
    (tmp_path / "Downloads").mkdir()
    told = command("bundle", str(made), "Downloads/theirs.zip")
    assert told.code == 0, told.err
    assert told.out.startswith("wrote Downloads/theirs.zip; run it with `t2iflow run Downloads/theirs.zip`")
    shutil.move(made, "made")
    shutil.rmtree("pictures")
    return "Downloads/theirs.zip"


@pytest.fixture
def zipped(tmp_path: Path) -> Zipped:
    """A zip file, whatever is in it."""

    def write(files: dict[str, str], how: int = zipfile.ZIP_STORED, change: Callable[..., object] = id) -> str:
        with zipfile.ZipFile(tmp_path / "evil.zip", "w", how) as file:
            for name, text in files.items():
                entry = zipfile.ZipInfo(name)
                entry.compress_type = how
                change(entry)
                file.writestr(entry, text)
        return "evil.zip"

    return write


def test_a_bundle_runs_where_nothing_of_the_run_is_left(away: str, command: Command) -> None:
    told = command("run", away)
    assert told.code == 0, told.err
    assert told.folder
    assert "-mine-s5-" in told.folder.name
    for name in ("recipe.yaml", "picture.png", "inputs/photo.png", "inputs/second.png"):
        assert (told.folder / name).read_bytes() == (Path("made") / name).read_bytes()


@pytest.mark.parametrize("verb", ["check", "plan", "show", "graph"])
def test_a_bundle_is_looked_at_as_a_recipe_is(verb: str, away: str, command: Command) -> None:
    told = command(verb, away)
    assert told.code == 0, told.err
    assert "missing" not in told.out


@pytest.mark.parametrize("name", ["theirs", "theirs.zip.1", "theirs.bin", "theirs.png", "theirs.yaml"])
def test_a_bundle_is_one_whatever_it_is_called(name: str, away: str, command: Command) -> None:
    Path(away).rename(name)
    told = command("check", name)
    assert told.code == 0, told.err
    assert command("new", name, "again.yaml").code == 0
    assert command("verify", name).code == 0


def test_a_picture_is_none_whatever_it_is_called(made: Path, command: Command) -> None:
    shutil.copy(made / "picture.png", "theirs.zip")
    assert "inputs/photo.png" in command("show", "theirs.zip").out


def test_a_bundle_takes_other_settings_and_inputs(away: str, command: Command) -> None:
    PIL.Image.new("RGB", (8, 8), "lime").save("other.png")
    told = command("run", away, "--steps", "1", "--set", "photo=other.png")
    assert told.folder, told.err
    assert (told.folder / "inputs" / "other.png").read_bytes() == Path("other.png").read_bytes()


def test_a_bundle_is_verified_with_what_is_in_it(away: str, command: Command) -> None:
    told = command("verify", away)
    assert told.out == "picture.png: the same, byte for byte\n"
    assert told.code == 0


def test_a_bundle_becomes_a_recipe_of_ones_own(away: str, command: Command) -> None:
    told = command("new", away, "own.yaml")
    assert told.code == 0, told.err
    assert Path("own.yaml").read_bytes() == Path("made/recipe.yaml").read_bytes()


def test_the_same_run_makes_the_same_bytes(made: Path, command: Command) -> None:
    again = command("run", str(made / "recipe.yaml")).folder
    assert again
    for folder, name in ((made, "one.zip"), (again, "other.zip")):
        assert command("bundle", str(folder), name).code == 0
    assert Path("one.zip").read_bytes() == Path("other.zip").read_bytes()
    with zipfile.ZipFile("one.zip") as file:
        assert file.namelist() == ["recipe.yaml", "lock.yaml", "inputs/photo.png", "inputs/second.png", "picture.png"]


def test_a_bundle_says_not_where_the_maker_s_files_were(made: Path, command: Command, tmp_path: Path) -> None:
    command("bundle", str(made), "one.zip")
    assert str(tmp_path).encode() not in Path("one.zip").read_bytes()


def test_only_a_finished_run_whose_inputs_are_as_they_were_is_bundled(made: Path, command: Command) -> None:
    assert "is not the folder of a finished run" in command("bundle", "pictures").err
    assert command("bundle", str(made)).code == 0
    assert Path(f"{made.name}.zip").is_file()
    told = command("bundle", str(made))
    assert told.code == 1
    assert "exists; name another file" in told.err
    assert "a bundle's name ends with .zip" in command("bundle", str(made), "one.tar").err
    shutil.copy("pictures/second.png", made / "inputs" / "photo.png")
    told = command("bundle", str(made), "changed.zip")
    assert told.code == 1
    assert "`inputs/photo.png` has changed since the run began" in told.err.replace(f"{made}/", "")
    assert not Path("changed.zip").exists()


@pytest.mark.parametrize(
    "lock",
    [
        "threads: !!bool foo",
        'threads: !!int ""',
        "threads: !!timestamp foo",
        "a: &a [1]\n" + "\n".join(f"a{n}: &a{n} [*a, *a]" for n in range(9000)),
        "x" * 2_000_000,
        "threads: \x00",
        "[",
    ],
)
def test_a_lock_that_says_nothing_is_as_none(lock: str, zipped: Zipped, command: Command) -> None:
    told = command("check", zipped({**GOOD, "lock.yaml": lock}))
    assert told.code == 0, told.err


HARMFUL: dict[str, tuple[dict[str, str], str]] = {
    "leads out": ({**GOOD, "inputs/../../out.png": ""}, "has a name that leads out of it"),
    "leads out on Windows": ({**GOOD, "inputs\\..\\..\\out.png": ""}, "has a name that leads out of it"),
    "is whole": ({**GOOD, "/tmp/out.png": ""}, "has a name that leads out of it"),
    "is on a drive": ({**GOOD, "C:/out.png": ""}, "has a name that leads out of it"),
    "is hidden": ({**GOOD, ".bashrc": ""}, "or is hidden"),
    "has no recipe": ({"picture.png": ""}, "it holds no `recipe.yaml`; bundles are made by `t2iflow bundle RUN`"),
    "is there twice": ({**GOOD, "Recipe.yaml": ""}, "it holds two files of one name"),
}


@pytest.mark.parametrize("case", HARMFUL)
def test_a_bundle_with_a_name_that_does_harm_is_refused(case: str, zipped: Zipped, command: Command) -> None:
    files, why = HARMFUL[case]
    told = command("run", zipped(files))
    assert told.code == 3
    assert "T2I107 can't open the bundle `evil.zip`: " in told.err
    assert why in told.err
    assert not [*Path().glob("cache/t2iflow/bundles/*")]
    assert told.folder is None


def test_a_link_in_a_bundle_is_refused(zipped: Zipped, command: Command) -> None:
    def link(entry: zipfile.ZipInfo) -> None:
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16

    assert "`recipe.yaml` in it is a link" in command("check", zipped({"recipe.yaml": "/etc/passwd"}, change=link)).err


def test_a_bundle_unpacks_to_no_more_than_itself(zipped: Zipped, command: Command) -> None:
    bomb = zipped({**GOOD, "inputs/large.txt": "0" * 10_000_000}, zipfile.ZIP_DEFLATED)
    assert "it is compressed, which bundles are not" in command("check", bomb).err
    path = Path(zipped({**GOOD, "inputs/a.txt": "0" * 50_000}))
    content = bytearray(path.read_bytes())
    listing = content.rindex(b"PK\x01\x02")
    content[listing + 20 : listing + 28] = (10**9).to_bytes(4, "little") * 2  # what it says it holds
    path.write_bytes(content)
    assert "it claims to hold more than it does" in command("check", "evil.zip").err


@pytest.mark.parametrize("damage", [slice(0, 40), slice(60, 80), slice(-40, None), slice(-400, -200)])
def test_a_damaged_bundle_is_refused(damage: slice, zipped: Zipped, command: Command) -> None:
    path = Path(zipped({**GOOD, "inputs/a.txt": "0" * 100}))
    content = bytearray(path.read_bytes())
    content[damage] = bytes(len(content[damage]))
    path.write_bytes(content)
    told = command("check", "evil.zip")
    assert told.code == 3
    assert "can't open the bundle `evil.zip`" in told.err
    path.write_bytes(b"")
    assert "it is damaged, or no zip file" in command("check", "evil.zip").err


@pytest.mark.parametrize("wanted", ["/etc/passwd", "recipe.yaml", "inputs/../recipe.yaml", "../secret.txt"])
def test_a_bundle_s_recipe_reads_nothing_but_its_inputs(wanted: str, zipped: Zipped, command: Command) -> None:
    Path("secret.txt").write_text("mine")
    story = COPY + f"  lite: {{use: clip.model}}\n  told: {{use: clip.story, clip: $lite, file: {wanted}}}\n"
    told = command("check", zipped({"recipe.yaml": story}))
    assert told.code == 3
    assert f"T2I503 this recipe is foreign, so it may not read `{wanted}`" in told.err
    told = command("check", zipped({"recipe.yaml": f"t2iflow: 1\nextends: {wanted}\nnodes: {{}}\n"}))
    assert "T2I503 this recipe is foreign, so it may not extend" in told.err


def test_weights_of_the_maker_s_own_do_not_travel(
    command: Command, zipped: Zipped, small_weights: Callable[[str], Path], tmp_path: Path
) -> None:
    weights = small_weights("taesd")
    recipe = (
        "t2iflow: 1\nnodes:\n  photo: {use: images.noise, size: [32, 32]}\n"
        f"  canvas: {{use: taesd.canvas, size: [32, 32], weights: {weights}}}\n"
        "  same: {use: losses.reference, image: $canvas, reference: $photo}\n"
        "  fit: {use: optimizers.adam, image: $canvas, loss: $same, rate: 0.05, steps: 1}\n"
        "  still: {use: output.image, image: $fit}\n"
    )
    folder = command("run", recipe).folder
    assert folder
    told = command("bundle", str(folder), "one.zip")
    name = weights.name
    assert f"the weights `{name}` aren't in it: whoever runs it gives them with `--set canvas.weights=PATH`" in told.out
    told = command("run", "one.zip")
    assert told.code == 3
    assert f"the weights `{name}`, from which this was made, are missing" in told.err
    assert "--set canvas.weights=PATH" in told.err
    assert command("run", "one.zip", "--set", f"canvas.weights={weights}").code == 0
