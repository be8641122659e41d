"""The house rules that a machine can check: who may import whom, how large a file is, what it offers."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "cgl_ignite"

DRAWING = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
FLOOR = {part: int(floor) for floor, part in re.findall(r"^\| (\d+) \| `(\w+)` \|", DRAWING, re.MULTILINE)}
LONGEST_FILE = 300
LONGEST_FUNCTION = 40
PRESETS = {"baseline", "dml", "cl_ilr", "one", "okddip", "cgl"}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in SOURCES.items()}


def faults_of(check: Callable[[str], object]) -> dict[str, object]:
    """Check every module, and return what is wrong with those that break the rule."""
    return {name: fault for name in SOURCES if (fault := check(name))}


def part_of(module: str) -> str:
    """Name the part a module belongs to: its package, or the file that stands alone."""
    return module.split(".")[1] if "." in module else ""


def imported(name: str) -> Iterator[str]:
    """Name the modules of the package that a module imports, at its top or inside a function."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in SOURCES)
        elif isinstance(node, ast.ImportFrom) and node.module in SOURCES:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in SOURCES else node.module


def test_the_drawing_shows_the_parts_that_exist() -> None:
    assert {part_of(name) for name in SOURCES} - {""} == FLOOR.keys()


def test_imports_go_downwards() -> None:
    def upwards(name: str) -> set[str]:
        own = part_of(name)
        parts = {part_of(module) for module in imported(name)} - {own, ""}
        return {part for part in parts if own and FLOOR.get(part, 0) >= FLOOR.get(own, 0)}

    assert faults_of(upwards) == {}, "modules that import from their own floor or a higher one"


def test_private_names_stay_at_home() -> None:
    def private(name: str) -> list[str]:
        return [
            f"{node.module}.{alias.name}"
            for node in ast.walk(TREES[name])
            if isinstance(node, ast.ImportFrom) and node.module in SOURCES
            for alias in node.names
            if alias.name.startswith("_") and not alias.name.startswith("__")
        ]

    assert faults_of(private) == {}, "modules that import private names of others"


def test_no_import_is_relative() -> None:
    relative = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


def test_no_imports_in_circles() -> None:
    needs = {name: set(imported(name)) - {name} for name in SOURCES}
    while free := {name for name, others in needs.items() if not others}:
        needs = {name: others - free for name, others in needs.items() if name not in free}
    assert not needs, f"imports in a circle, or above one: {needs}"


def test_files_are_short() -> None:
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in SOURCES.items()}
    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


def test_functions_fit_a_screen() -> None:
    def long(name: str) -> list[str]:
        functions = [node for node in ast.walk(TREES[name]) if isinstance(node, ast.FunctionDef)]
        return [f"{node.name}: {lines}" for node in functions if (lines := body_lines(node)) > LONGEST_FUNCTION]

    assert faults_of(long) == {}, f"functions longer than {LONGEST_FUNCTION} lines"


def body_lines(function: ast.FunctionDef) -> int:
    """Count the lines of a function from its ``def`` on, without its docstring."""
    text = ast.get_docstring(function, clean=False)
    return function.end_lineno - function.lineno + 1 - (text.count("\n") + 1 if text else 0)


def test_modules_say_what_they_offer() -> None:
    def assigned(name: str) -> set[str]:
        return {
            target.id
            for node in TREES[name].body
            if isinstance(node, (ast.Assign, ast.AnnAssign))
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }

    assert [name for name in SOURCES if "__all__" not in assigned(name)] == []


def test_no_code_asks_which_method_it_runs() -> None:
    """A method is a value: code that compares its name is a part in the wrong place."""

    def asks(name: str) -> list[int]:
        return [node.lineno for node in ast.walk(TREES[name]) if asks_for_a_method(node)]

    assert faults_of(asks) == {}, "lines that ask for a method"


def asks_for_a_method(node: ast.AST) -> bool:
    if isinstance(node, ast.Match):
        return named_method(node.subject)
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    texts = {leaf.value for side in sides for leaf in ast.walk(side) if isinstance(leaf, ast.Constant)}
    equality = any(isinstance(operator, (ast.Eq, ast.NotEq)) for operator in node.ops)
    return bool(texts & PRESETS) or (equality and any(map(named_method, sides)))


def named_method(node: ast.AST) -> bool:
    """Tell whether an expression is a method's name, such as ``method`` or ``pipeline.method.preset``."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in {"method", "preset"}
