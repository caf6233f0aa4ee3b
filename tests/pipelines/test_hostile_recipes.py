"""Recipes from strangers: each ends in an error that a person can read, soon, and nothing of it is run."""

import codecs
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from t2iflow.nodes.core import paths
from t2iflow.pipelines.compiling import compile_recipe
from t2iflow.pipelines.problems import Place, Problems, RecipeError
from t2iflow.pipelines.text.located import plain
from t2iflow.pipelines.text.recipe import read
from t2iflow.pipelines.text.yaml_reader import MAX_BYTES, parse
from t2iflow.pipelines.text.yaml_writer import flow

HEAD = b"t2iflow: 1\n"


def _bomb(levels: int) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines).encode()


def _params(line: str, levels: int) -> bytes:
    lines = ["params:", "  p0: [xxxxxxxx, y]" if "[" in line else "  p0: " + "x" * 1000]
    lines += ["  " + line.format(n=n, m=n - 1) for n in range(1, levels)]
    return "\n".join(lines).encode() + b"\nnodes: {a: {use: clip.text}}\n"


def _hello(setting: str) -> bytes:
    where = "canvas" if setting.startswith("size") else "fit"
    return f"extends: hello\nnodes: {{{where}: {{{setting}}}}}\n".encode()


HOSTILE: dict[str, tuple[bytes, str]] = {
    "a tag that calls": (b"nodes: !!python/object/apply:os.system ['touch HERE']", "T2I103"),
    "a tag that makes": (b"nodes: {a: !!python/object/new:os.system ['touch HERE']}", "T2I103"),
    "a tag that names": (b"nodes: {a: {use: !!python/name:os.system ''}}", "T2I103"),
    "a tag on a key": (b"? !!python/object/apply:os.system ['touch HERE']\n: 1", "T2I103"),
    "a tag in whole": (b"nodes: {a: !<tag:yaml.org,2002:python/object/apply:os.system> ['touch HERE']}", "T2I103"),
    "a tag with a handle": (b"title: !e!object/apply:os.system [ls]", "T2I101"),
    "an import path": (b"nodes: {a: {use: os.system}}", "T2I201"),
    "a path into the program": (b"nodes: {a: {use: catalog.find}}", "T2I201"),
    "a path into a module": (b"nodes: {a: {use: t2iflow.nodes.optimizers.adam}}", "T2I201"),
    "a private name": (b"nodes: {a: {use: optimizers.__class__}}", "T2I201"),
    "an expression": (b"nodes: {a: {use: \"__import__('os').system('touch HERE')\"}}", "T2I201"),
    "a template": (b"nodes: {a: {use: {{ config.__class__ }} }}", "T2I101"),
    "an aliases' bomb": (_bomb(9), "T2I104"),
    "a params' bomb": (_params("p{n}: [$p{m}, $p{m}, $p{m}, $p{m}, $p{m}, $p{m}, $p{m}, $p{m}]", 12), "T2I104"),
    "a texts' bomb": (_params('p{n}: "${{p{m}}}${{p{m}}}${{p{m}}}${{p{m}}}${{p{m}}}"', 12), "T2I104"),
    "params within params": (_params("p{n}: [[[[[[[[[[$p{m}]]]]]]]]]]", 300), "T2I104"),
    "params that need themselves": (b"params: {a: $a, b: $c, c: $b}\nnodes: {a1: {use: $a}}", "T2I111"),
    "an alias within itself": (b"nodes: &a {b: *a}", "T2I101"),
    "5000 brackets": (b"nodes: " + b"[" * 5000 + b"]" * 5000, "T2I104"),
    "5000 braces": (b"nodes: " + b"{a: " * 5000, "T2I104"),
    "5000 dashes": (b"nodes:\n" + b"- " * 5000, "T2I104"),
    "5000 indents": (b"\n".join(b" " * n + b"a:" for n in range(1000)), "T2I104"),
    "many values": (b"nodes: [" + b"1," * 60_000 + b"]", "T2I104"),
    "a huge file": (b"# " + b"x" * MAX_BYTES, "T2I104"),
    "one huge name": (b"nodes: {a: {use: " + b"x" * 500_000 + b"}}", "T2I201"),
    "a huge number": (b"nodes: {a: {use: clip.text}}\nseed: " + b"9" * 500_000, "T2I204"),
    "NUL": (b"title: a\0b", "T2I101"),
    "terminal commands": (b"title: a\x1b[2Jb", "T2I101"),
    "escaped terminal commands": (b'nodes: {a: {use: "x\\e[2J\\x07\\n"}}', "T2I201"),
    "no UTF-8": (b"title: caf\xe9\n", "T2I101"),
    "UTF-16": ("title: x".encode("utf-16"), "T2I101"),
    "a letter beyond Unicode": (b'title: "\\UFFFFFFFF"', "T2I101"),
    "a letter just beyond Unicode": (b'title: "a\\U00110000"', "T2I101"),
    "a version of many digits": (b"---\n...\n%YAML " + b"1" * 5000 + b".1\n---\na: 1", "T2I101"),
    "a key of many letters": (b"params: {prompt: {'" + b"x" * 1100 + b"': 1}}", "T2I101"),
    "spaces in a size": (_hello("size: '1" + " " * 40_000 + "x'"), "T2I204"),
    "spaces in a rate": (_hello("rate: '1<" + " " * 40_000 + "x'"), "T2I204"),
    "spaces in keyframes": (_hello("rate: '1" + " " * 40_000 + ":x'"), "T2I204"),
    "half a pair": (b"title: \xed\xa0\x80", "T2I101"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "T2I101"),
    "extends a device": (b"extends: /dev/zero", "T2I108"),
    "extends a folder": (b"extends: /", "T2I108"),
    "extends a long name": (b"extends: " + b"x" * 5000, "T2I108"),
    "keys that are lists": (b"? [a, b]\n: 1", "T2I101"),
    "keys that are no numbers": (b"nodes: {.nan: {use: a.b}, .inf: {use: a.b}}", "T2I105"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_recipe_ends_in_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content, code = HOSTILE[name]
    Path("evil.yaml").write_bytes(HEAD + content)
    started = time.monotonic()
    problems = Problems()
    with pytest.raises(RecipeError) as caught:
        compile_recipe(read("evil.yaml", problems=problems), problems)
    text = str(caught.value)
    assert code in {problem.code for problem in caught.value.problems}
    assert f"error {code}" in text
    assert len(text) < 30_000
    assert all(sign.isprintable() or sign == "\n" for sign in text)
    assert time.monotonic() - started < 20
    assert os.listdir() == ["evil.yaml"]


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("line", ["title: \xe9\xe9", "title: ", ""])
def test_a_byte_that_is_no_letter_is_shown_where_it_stands(line: str, mark: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(mark + b"t2iflow: 1\n" + line.encode() + b"\xff\n")
    with pytest.raises(RecipeError) as caught:
        read(path)
    (problem,) = caught.value.problems
    assert problem.place == Place(str(path), 2, len(line) + 1)


@pytest.mark.parametrize(
    "where", [".", "/", "/dev/zero", "/dev/null", "no\0name", "", "x" * 5000, "../hello", "hello/"]
)
def test_what_is_no_file_is_told(where: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read(where)
    assert [problem.code for problem in caught.value.problems] == ["T2I107"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(RecipeError) as caught:
        read(tmp_path / "pipe.yaml")
    assert [problem.code for problem in caught.value.problems] == ["T2I107"]


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(HEAD)

    def refused(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(paths, "read_start", refused)
    with pytest.raises(RecipeError, match="you have no permission"):
        read(path)


def test_reading_a_recipe_needs_no_torch() -> None:
    code = (
        "import sys; from t2iflow.pipelines.text.recipe import read; read('hello'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "value",
    [
        {"x " * 600: 1, "fog": -0.3},
        {"\n" * 600: {"y" * 1021: 1}, "y" * 1022: 2, "y" * 1024: 3},
        [{"a: b, {c} " * 200: ["\u2028", None, True, 1e-9]}],
    ],
)
def test_what_is_written_is_read_again(value: object) -> None:
    text = f"params: {flow(value)}\nafter: [1, 2]\n"
    assert plain(parse(text, "written.yaml")) == {"params": value, "after": [1, 2]}
