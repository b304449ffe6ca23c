"""Sessions that need environments of their own: `pip install 'nox[uv]'`, then `nox -s tests` and so on.

tests           the fast tests, with the oldest and newest versions that pyproject.toml allows, on each Python
dependencies    constraints-hashed.txt, and the licences in docs/dependencies.md
audit           known vulnerabilities of the tested versions; asks the Python Packaging Advisory Database
"""

from __future__ import annotations

import re
from pathlib import Path

import nox

nox.needs_version = ">=2024.4.15"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False  # a Python that is not here is skipped, and said
nox.options.sessions = ["tests"]

LOCKED, LICENCES = "constraints-hashed.txt", Path("docs/dependencies.md")
MARK = "<!-- made by `nox -s dependencies` -->\n"


@nox.session(python=["3.11", "3.12", "3.13"])
@nox.parametrize("versions", ["oldest", "newest"])
def tests(session: nox.Session, versions: str) -> None:
    """The fast tests; arguments after `--` go to pytest."""
    options = ["--resolution", "highest"]
    if versions != "newest":
        # The lower bounds are those of direct dependencies; what these need is taken as new as they allow.
        # Nothing but Kineme is built here: a newer Python takes the oldest versions that were built for it.
        options = [*"--resolution lowest-direct --only-binary :all: --no-binary kineme".split()]
    # Old versions of the test client need httpx, which new ones have replaced.
    session.install(*options, "--editable", ".[dev]", "httpx>=0.27")
    session.run("pytest", "-m", "not slow", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session(python="3.11")
def dependencies(session: nox.Session) -> None:
    """What is tested, with the hashes of the package index; and the licences of it all."""
    session.install("uv", "pip-licenses")
    # The newest ones need 3.11.5; with 3.11 alone there would be no solution for its first releases.
    words = "--extra dev --constraint constraints.txt --universal --python-version 3.11.5 --generate-hashes"
    command = "pip compile --quiet --no-annotate --custom-compile-command".split()
    session.run("uv", *command, "nox -s dependencies", *words.split(), "pyproject.toml", "-o", LOCKED)
    session.install("--constraint", "constraints.txt", ".[dev,video]")
    tested = [line.partition("==")[0] for line in Path("constraints.txt").read_text().splitlines()]
    options = [
        "--from=mixed",
        "--format=markdown",
        "--packages",
        *(name for name in tested if name[0] != "#"),
    ]
    table = re.sub(r" +\|", " |", str(session.run("pip-licenses", *options, silent=True)).strip())
    LICENCES.write_text(f"{LICENCES.read_text().partition(MARK)[0]}{MARK}\n{table}\n")


@nox.session(python="3.11")
def audit(session: nox.Session) -> None:
    """Fails if one of the tested versions has a known vulnerability."""
    session.install("pip-audit")
    session.run("pip-audit", "--requirement", LOCKED, "--disable-pip", "--require-hashes", *session.posargs)
