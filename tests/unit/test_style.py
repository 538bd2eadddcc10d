"""Rules of style that a machine can count and no linter of ours does."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("daemon", "streams", "projections", "api", "ops")

MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=name_of(path))


def functions(tree: ast.AST) -> Iterator[FunctionNode]:
    return (node for node in ast.walk(tree) if isinstance(node, FunctionNode))


def floats(tree: ast.AST) -> Iterator[int]:
    """Lines on which a float is written, or the type named, be it in an annotation kept as a string."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex(), lineno=line):
                yield line
            case ast.Name(id="float" | "complex", lineno=line):
                yield line
            case ast.Constant(value="float" | "complex", lineno=line):
                yield line
            case ast.Attribute(attr="from_float", lineno=line):
                yield line
            case _:
                pass


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=name_of)
def test_a_module_is_short(path: Path) -> None:
    """A module of the product has at most 300 lines: one with more has two subjects."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MODULE_LINES_MAX, f"{name_of(path)} has {lines} lines"


@pytest.mark.parametrize("path", modules(*PACKAGES), ids=name_of)
def test_a_function_is_short(path: Path) -> None:
    """A function of the product has at most 60 lines, docstring included."""
    lengths = [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in functions(parse(path))
    ]
    assert [(name, lines) for name, lines in lengths if lines > FUNCTION_LINES_MAX] == []


@pytest.mark.parametrize("path", modules("daemon/domain"), ids=name_of)
def test_the_core_knows_no_float(path: Path) -> None:
    """No float decides anything: the core writes none and names none."""
    assert [f"{name_of(path)}:{line}" for line in floats(parse(path))] == []


def test_a_float_would_be_found() -> None:
    """The check for floats finds literals, names and annotations, so that its silence means something."""
    literals = "a = 1.5\nb = -2j\n"
    names = "def c(d: float) -> 'float': ...\ne = float('1')\nf = Decimal.from_float(a)\n"
    assert sorted(set(floats(ast.parse(literals + names)))) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "path", [path for path in modules("tests") if path.name.startswith("test_")], ids=name_of
)
def test_every_test_states_its_rule(path: Path) -> None:
    """Every test has a docstring: the rule that it proves."""
    tests = [node for node in functions(parse(path)) if node.name.startswith("test_")]
    silent = [f"{name_of(path)}:{node.lineno} {node.name}" for node in tests if not ast.get_docstring(node)]
    assert silent == []
