"""The wheel installs and works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import kineme

ROOT = Path(__file__).parents[1]
SHIPPED = (".py", ".pyi", ".typed", ".css", ".js", ".html", ".svg", ".yaml", ".jinja")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    run("pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("installed")
    run("pip", "install", "-q", "--no-deps", "--target", folder, wheel)
    return folder


def run(module: str, *words: object, packages: Path | None = None, cwd: Path | None = None) -> str:
    """What `python -m module` prints; `packages` come first, and nothing comes from the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(packages or "")}
    command = [sys.executable, "-m", module, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_everything_that_the_package_needs_is_in_the_wheel(wheel: Path) -> None:
    """Sources, types, templates, scripts and styles; recipes and grids beside them."""
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = ROOT / "src" / "kineme"
    sources = {f"kineme/{path.relative_to(package)}" for path in package.rglob("*") if path.suffix in SHIPPED}
    assert {"kineme/__init__.pyi", "kineme/py.typed", "kineme/report/report.js"} <= sources
    recipes = {f"kineme/recipes/{path.name}" for path in (ROOT / "recipes").iterdir()}
    grids = {f"kineme/grids/{path.name}" for path in (ROOT / "grids").iterdir()}
    assert sources | recipes | grids <= inside
    assert {name.partition("/")[0] for name in inside} == {"kineme", f"kineme-{kineme.__version__}.dist-info"}


def test_its_metadata(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = archive.read(f"kineme-{kineme.__version__}.dist-info/METADATA").decode()
    assert f"\nVersion: {kineme.__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nRequires-Python: >=3.11\n" in metadata
    assert "\nProvides-Extra: docs\n" in metadata
    assert "\n# Kineme\n" in metadata  # the README


def test_it_runs_away_from_the_checkout(installed: Path, tmp_path: Path) -> None:
    store, clip = tmp_path / "store", tmp_path / "clip.html"
    usage = run("kineme", "--help", packages=installed, cwd=tmp_path)
    assert "usage: kineme COMMAND" in usage
    assert "usdrl-sttr-ntu60-xsub" in run("kineme", "pretrain", "--help", packages=installed, cwd=tmp_path)
    one = ("--subjects", "2", "--repetitions", "1", "--cameras", "2")
    run("kineme", "generate", store, *one, packages=installed, cwd=tmp_path)
    run(
        "kineme", "show", store, "0", "--out", clip, packages=installed, cwd=tmp_path
    )  # a template and a script
    assert "<canvas" in clip.read_text(encoding="utf-8")


def test_every_public_name_can_be_imported(installed: Path, tmp_path: Path) -> None:
    code = "import kineme; print(kineme.__file__, *[getattr(kineme, name) for name in kineme.__all__])"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(installed))


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """And holds what its tests, its documentation and its Makefile need."""
    code = "from hatchling.build import build_sdist; import sys; print(build_sdist(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    archive = tmp_path / done.stdout.strip()
    run("pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path / "again", archive)
    (again,) = (tmp_path / "again").iterdir()
    assert set(zipfile.ZipFile(again).namelist()) == set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    needed = "Makefile constraints.txt CITATION.cff docs/conf.py examples/new_method.py".split()
    assert set(needed) <= names
    assert not {name for name in names if name.startswith("docs/api/")}
