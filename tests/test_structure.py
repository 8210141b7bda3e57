"""The house stands as it was drawn: floors, no circles, sizes, a test for each module, the public names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import asynctask

ROOT = Path(__file__).parent.parent
MOST_LINES = 600

# A module imports from its own floor or from a lower one. An entry covers what is below it in the tree.
FLOORS = {
    "_version": 0,
    "errors": 0,
    "emitter": 1,
    "events": 1,
    "group_sources": 1,
    "lines": 1,
    "messages": 1,
    "nodes": 1,
    "outcome": 1,
    "states": 1,
    "waiting": 1,
    "dispatch": 2,
    "pollers": 2,
    "process_groups": 2,
    "processes": 2,
    "ssh": 2,
    "transfer": 2,
    "port": 3,
    "timer": 3,
    "workers": 3,
    "attachments": 4,
    "background": 4,
    "calling": 4,
    "intake": 4,
    "iteration": 4,
    "making": 4,
    "parameters": 4,
    "publishing": 4,
    "pump": 4,
    "results": 4,
    "scheduling": 4,
    "settings": 4,
    "spawning": 4,
    "streaming": 4,
    "targets": 4,
    "task": 4,
    "manager": 5,
    "rules": 5,
    "sync": 5,
    "testing": 5,
    "__main__": 6,
    "cli": 6,
}
# The package itself hands out names of floor 4, so what imports it stands above.
ROOT_FLOOR = 5

# They load what they hand out when it is asked for: an import inside a function is no arrow there.
LAZY = {"asynctask", "asynctask.cli", "asynctask.manager"}

WITHOUT_TEST = {"__init__", "__main__", "_version"}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = sorted((ROOT / "asynctask").rglob("*.py"))
MODULES = {_name(path): path for path in PATHS}


def _floor(module: str) -> int:
    if module == "asynctask":
        return ROOT_FLOOR
    top = module.split(".")[1]
    if top not in FLOORS:
        pytest.fail(f"{module} has no floor: put {top!r} into FLOORS, and into the docstring of asynctask")
    return FLOORS[top]


def _is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def _import_statements(node: ast.AST, *, in_functions: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not in_functions:
            continue
        elif isinstance(child, ast.If) and _is_type_checking(child):
            for statement in child.orelse:
                yield from _import_statements(statement, in_functions=in_functions)
        else:
            yield from _import_statements(child, in_functions=in_functions)


def _imports(module: str) -> set[str]:
    """The modules of the package that a module imports when it runs."""
    tree = ast.parse(MODULES[module].read_text())
    found = set()
    for statement in _import_statements(tree, in_functions=module not in LAZY):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
            continue
        base = statement.module or ""
        for alias in statement.names:
            full = f"{base}.{alias.name}"
            found.add(full if full in MODULES else base)
    return {name for name in found if name.split(".")[0] == "asynctask"} - {module}


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"asynctask"}))
def test_a_module_imports_from_its_own_floor_or_a_lower_one(module: str) -> None:
    """No arrow of the import graph goes up."""
    up = {target: _floor(target) for target in _imports(module) if _floor(target) > _floor(module)}

    assert up == {}, f"{module} stands on floor {_floor(module)}"


def test_no_imports_in_a_circle() -> None:
    """The import graph has an order."""
    try:
        order = list(TopologicalSorter({module: _imports(module) for module in MODULES}).static_order())
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' <- '.join(error.args[1])}")

    assert set(order) == set(MODULES)


@pytest.mark.parametrize("path", [pytest.param(path, id=_name(path)) for path in PATHS])
def test_a_module_has_600_lines_at_most(path: Path) -> None:
    """A longer module wants to be two."""
    assert len(path.read_text().splitlines()) <= MOST_LINES


@pytest.mark.parametrize(
    "path", [pytest.param(path, id=_name(path)) for path in PATHS if path.stem not in WITHOUT_TEST]
)
def test_a_module_has_its_test_file(path: Path) -> None:
    """The tree of the tests mirrors the package's."""
    inside = path.relative_to(ROOT / "asynctask")

    assert (ROOT / "tests" / inside.parent / f"test_{inside.name}").is_file()


def test_the_docstring_of_the_package_tells_the_floors() -> None:
    """What the docstring says of each floor is what this test holds the modules to."""
    told = {
        name: int(floor)
        for floor, names in re.findall(r"^(\d)\. (.*(?:\n   .*)*)$", asynctask.__doc__ or "", re.MULTILINE)
        for name in re.findall(r"``(\w+)``", names)
    }
    here = {module.split(".")[1] for module in MODULES if "." in module} - WITHOUT_TEST

    assert told == {name: FLOORS[name] for name in here}


@pytest.mark.parametrize("name", asynctask.__all__)
def test_a_public_name_can_be_had(name: str) -> None:
    """Every name in ``__all__`` is loaded when it is asked for, and ``dir`` shows it."""
    assert getattr(asynctask, name) is not None
    assert name in dir(asynctask)


def test_the_public_names_are_those_that_type_checkers_see() -> None:
    """The lazy table and the ``X as X`` imports for type checkers agree on names and modules."""
    tree = ast.parse(MODULES["asynctask"].read_text())
    seen = {
        alias.asname: statement.module
        for block in tree.body
        if _is_type_checking(block)
        for statement in ast.walk(block)
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
        if alias.asname == alias.name
    }

    homes = {name: f"asynctask.{home}" for name, home in asynctask._HOME_OF.items()}
    assert seen == homes
    assert set(asynctask.__all__) == {*seen, "__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typing error in a name fails where it is, as with any module."""
    with pytest.raises(AttributeError, match="no attribute 'tsak'"):
        _ = asynctask.tsak
