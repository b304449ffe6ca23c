"""The documentation: pages are reachable, links lead somewhere, and the site builds without a warning."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import kineme
from kineme.__main__ import COMMANDS
from kineme.encoders import ENCODERS
from kineme.layouts import get_layout
from kineme.layouts.correspondence import read_joint_map
from kineme.methods import METHODS
from kineme.packaged import recipes
from kineme.reproduce.grid import load_grid
from kineme.settings import load_config

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [
    path for path in sorted(DOCS.rglob("*.md")) if path.relative_to(DOCS).parts[0] not in ("_build", "api")
]
READABLE = [*PAGES, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))]


def without_code(text: str) -> str:
    """Markdown without its code, in which brackets are no links."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def anchors(page: Path) -> set[str]:
    """What `#...` may name: the headings, as GitHub and MyST spell them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def toctree(page: Path) -> Iterator[Path]:
    """The pages that the toctrees of a page lead to, itself included."""
    yield page
    for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        for line in filter(None, block.splitlines()):
            if not line.startswith(":"):
                yield from toctree(page.parent / f"{line}.md")


def test_every_page_is_in_a_toctree() -> None:
    assert sorted(toctree(DOCS / "index.md")) == PAGES


def test_every_module_that_a_user_may_import_is_in_the_api_reference() -> None:
    modules = set(
        re.findall(r"^   kineme\.(\w+)$", (DOCS / "api.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    inside = {path.stem for path in (ROOT / "src" / "kineme").iterdir() if not path.name.startswith("_")}
    assert modules == inside - {
        "arguments",
        "commands",
        "packaged",
        "py",
        "runs",
        "system",
        "typing",
        "words",
    }


@pytest.mark.parametrize("page", READABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8")))
    for link in links:
        if link.startswith("https://"):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_included_file_and_line_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name, options in re.findall(r"^```\{(?:literal)?include\} (\S+)\n(.*?)^```", text, re.M | re.S):
        included = (page.parent / name).read_text(encoding="utf-8")
        for marker in re.findall(r"^:(?:start|end)-\w+: '?(.*?)'?$", options, re.MULTILINE):
            assert marker in included, marker


@pytest.mark.parametrize("page", READABLE, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_recipes_of_the_pages_exist(page: Path) -> None:
    """Of every line of shell in the pages."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
        for command, first in re.findall(r"^kineme (\S+) ?(\S*)", block, re.MULTILINE):
            assert command in {*COMMANDS, "COMMAND", "--help"}, command
            if command == "pretrain" and first.islower() and not first.startswith(("-", "examples/")):
                assert first in recipes(), first


def test_recipe_layout_and_grid_of_the_pages_are_valid(tmp_path: Path) -> None:
    """The first block of YAML in the pages that explain them; of data, a joint map and then a layout."""
    files = {}
    places = {"pretrain": 0, "map": 0, "data": 1, "reproduce": 0, "paper": 0}
    for name, place in places.items():
        page = DOCS / f"{name.replace('map', 'data')}.md"
        blocks = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)
        files[name] = tmp_path / f"{name}.yaml"
        files[name].write_text(blocks[place], encoding="utf-8")
    for name in ("mine", "new_method"):
        shutil.copy(recipes()["usdrl-small"], tmp_path / f"{name}.yaml")
    assert load_config(files["pretrain"]).evaluate.linear.milestones == (120, 140)
    assert get_layout(str(files["data"])).joints[-1] == "right_hand"
    assert set(read_joint_map(files["map"])) < set(get_layout("kinect20").joints)
    assert load_grid(files["reproduce"]).epochs == 60
    assert load_grid(files["paper"]).seeds == 3


def test_every_method_has_a_page_that_documents_it_and_its_encoders() -> None:
    pages = "".join(path.read_text(encoding="utf-8") for path in (DOCS / "methods").glob("*.md"))
    for parts in (METHODS, ENCODERS):
        for part in parts.values():
            if part.__module__.startswith("kineme."):  # not what other tests have registered
                assert f".. autoclass:: {part.__module__}.{part.__qualname__}\n" in pages


def test_the_citation_names_this_version_and_licence() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == kineme.__version__
    assert citation["license"] == "Apache-2.0"
    assert citation["authors"] == [{"name": "The Kineme developers"}]


def test_the_changelog_begins_with_this_version() -> None:
    first = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert first is not None
    assert kineme.__version__.removesuffix(".dev0") == first[1]


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """With every public name of every module in the API reference."""
    pytest.importorskip("sphinx")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(DOCS), str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    method = (tmp_path / "site" / "methods" / "usdrl.html").read_text(encoding="utf-8")
    assert "min_crop" in method  # from the constructor's docstring
    names = (tmp_path / "site" / "api.html").read_text(encoding="utf-8")
    assert all(f">{name}<" in names for name in ("Model", "pretrain", "USDRL", "ClipStore"))
