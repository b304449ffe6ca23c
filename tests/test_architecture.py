"""The modules of docs/architecture.md are those of the code, and imports point one way."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "kineme"
TABLE = ROOT / "docs" / "architecture.md"


def modules_of_the_table() -> list[str]:
    """Modules from the ground up: the names in the first column under the heading Modules."""
    section = TABLE.read_text(encoding="utf-8").split("\n## Modules\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)(?:\.py|/)`", row)]


def modules_of_the_code() -> set[str]:
    """Files and folders of the package; `__init__` only names what is public, from any module."""
    inside = [path for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    return {path.stem for path in inside} - {"__init__"}


def imported(source: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, module) of every import, wherever in a file it stands, and of every dotted path in a string.

    Args:
        source: of the file.
        package: that it lies in, for relative imports.
    """
    for node in ast.walk(ast.parse(source)):
        paths: list[str] = []
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            paths = [f"{module}.{alias.name}" for alias in node.names] if module == "kineme" else [module]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            paths = [node.value] if re.fullmatch(r"kineme(\.\w+)+", node.value) else []
        for path in paths:
            name, *rest = path.split(".")
            if name == "kineme" and rest and rest[0] != "__version__":
                yield node.lineno, rest[0]


def test_every_module_is_in_the_table_and_the_other_way_round() -> None:
    table = modules_of_the_table()
    assert len(set(table)) == len(table)
    assert set(table) == modules_of_the_code()


def test_a_module_imports_only_from_modules_above_it_in_the_table() -> None:
    order = {module: place for place, module in enumerate(modules_of_the_table())}
    against = []
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        module = inside.parts[0].removesuffix(".py")
        package = ".".join(["kineme", *inside.parts[:-1]])
        against += [
            f"{inside}:{line}: {module} imports {other}"
            for line, other in imported(path.read_text(encoding="utf-8"), package)
            if module in order and other != module and order.get(other, len(order)) > order[module]
        ]
    assert not against, "\n".join(against)


@pytest.mark.parametrize(
    "source",
    [
        "import kineme.model",
        "from kineme import model",
        "from kineme.model import load",
        "from ..model import load",
        "from .. import model",
        "def lazily():\n    from kineme.model import load",
        "if TYPE_CHECKING:\n    from kineme.model import Model",
        'Registry("model", {"mine": "kineme.model.Model"})',
    ],
)
def test_all_ways_to_import_are_seen(source: str) -> None:
    assert [module for _, module in imported(source, "kineme.clips")] == ["model"]


def test_the_version_and_other_packages_are_no_rooms() -> None:
    source = "import torch, kineme\nfrom kineme import __version__\nfrom . import store\nname = 'kineme'"
    assert [module for _, module in imported(source, "kineme.clips")] == ["clips"]
