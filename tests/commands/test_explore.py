"""`kineme explore` where it cannot start."""

from __future__ import annotations

import socket
from importlib import util
from pathlib import Path

import pytest

from kineme.__main__ import main


def test_without_the_server_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kineme.commands.explore.find_spec", lambda name: None)
    assert main(["explore", "store", "run"]) == 2
    assert "needs fastapi, which is not installed: pip install 'kineme[explore]'" in capsys.readouterr().err


@pytest.mark.skipif(util.find_spec("fastapi") is None, reason="needs fastapi: pip install 'kineme[explore]'")
@pytest.mark.parametrize("store_first", [True, False])
@pytest.mark.parametrize(
    ("taken", "message"), [(True, "is taken by another program"), (False, "it must be 1 to 65535")]
)
def test_a_port_that_cannot_be_had_is_refused(
    moves: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    taken: bool,
    message: str,
    store_first: bool,
) -> None:
    """Store and run are known by then, in either order."""
    weights = tmp_path / "model.safetensors"
    weights.touch()  # they are read after the port is had
    words = [str(moves), str(weights)] if store_first else [str(weights), str(moves)]
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1] if taken else 70000
        assert main(["explore", *words, "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("kineme explore: error: --port: ")
    assert message in said
