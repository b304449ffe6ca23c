"""Bounded readers, and names that a terminal or a page may be shown."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.layouts import Layout
from kineme.layouts.correspondence import read_joint_map
from kineme.reproduce.grid import load_grid
from kineme.settings import load_config
from kineme.training.directory import load_run_config
from kineme.untrusted import bad_name, bad_names, read_arrays, read_yaml

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abc", "bcd", strict=True)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "line 2: has an alias or a merge key; write the values out"),
        ("method: {<<: {name: aimclr}}", "line 1: has an alias or a merge key"),
        ("[" * 100_000, "line 1: is nested more than 20 levels deep"),
        ("a: {" * 50, "line 1: is nested more than 20 levels deep"),
        ("- " * 100, "line 1: is nested more than 20 levels deep"),
        ("a" * (1 << 22) + "b", "has more than 4,194,304 characters"),
    ],
    ids=["aliases", "merge", "lists", "mappings", "dashes", "size"],
)
def test_yaml_of_strangers_is_bounded(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=reason):
        read_yaml(path)


def test_every_reader_of_yaml_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(LAUGHS)
    for read in (load_config, load_grid, Layout.from_file, read_joint_map):
        with pytest.raises(KinemeError, match="line 2: has an alias or a merge key"):
            read(path)
    with pytest.raises(KinemeError, match=r"config\.yaml: cannot be read \(line 2: has an alias.*\); is"):
        load_run_config(tmp_path)


def test_yaml_that_is_quoted_is_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: ['*b', '&c', 1.5, null]\n")
    assert read_yaml(tmp_path / "a.yaml") == {"a": ["*b", "&c", 1.5, None]}
    (tmp_path / "a.yaml").write_text("a: !!python/object/apply:os.system [ls]")
    with pytest.raises(ValueError, match=r"^line 1: could not determine a constructor for the tag"):
        read_yaml(tmp_path / "a.yaml")


def _archive(path: Path, member: bytes, name: str = "a.npy") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, member)
    return path


def _npy(shape: tuple[int, ...], data: bytes, descr: object = "<i8") -> bytes:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    return header.getvalue() + data


def test_arrays_are_what_numpy_wrote(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.normal(size=(3, 4)),
        "b": np.array(["x", "größe"]),
        "c": np.array(2.5),
        "d": np.empty((0, 3)),
    }
    arrays["e"] = np.asfortranarray(arrays["a"])
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = read_arrays(tmp_path / "a.npz")
        assert list(found) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
    assert list(read_arrays(tmp_path / "a.npz", ["b"])) == ["b"]


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        (_npy((10**9,), bytes(24)), r"has \d+ bytes and claims the shape \(1000000000,\)"),
        (_npy((10**9, 10**9, 10**9), bytes(24)), "claims the shape"),
        (_npy((4,), bytes(24)), r"has another size than its shape \(4,\) needs"),
        (_npy((2,), bytes(24)), "has another size"),
        (_npy((3,), bytes(24), "|O"), "holds object, not numbers or text"),
        (_npy((3,), bytes(24), [("a", "<i8")]), "not numbers or text"),
        (b"no array", "is not a .npy array, or is damaged"),
    ],
)  # fmt: skip
def test_headers_that_lie_are_refused(tmp_path: Path, member: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=rf"a\.npy .*{reason}|a\.npy {reason}"):
        read_arrays(_archive(tmp_path / "a.npz", member))


def test_an_archive_of_a_later_version_is_refused(tmp_path: Path) -> None:
    path = _archive(tmp_path / "a.npz", _npy((3,), bytes(24)))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 6] = 97  # the version that is needed
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"zip file version 9\.7"):
        read_arrays(path)


def _bomb(path: Path, *, gigabytes: int = 4, claimed: int | None = None) -> Path:
    """A zip of some 4 MB with one array of zeros, `claimed` bytes of which its directory tells."""
    size, block = gigabytes << 30, bytes(1 << 24)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": ((claimed or size) // 8 - 16,)}
    )
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = squeeze.compress(header.getvalue()) + squeeze.flush(zlib.Z_FULL_FLUSH)
    zeros = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)  # what repeats, repeated
    data += zeros * (size // len(block)) + squeeze.flush()
    told = min(claimed or size, 0xFFFFFFFF)
    name = b"x.npy"
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, 0, len(data), told, len(name), 0)
    entry = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    local = b"PK\3\4" + common + name + data
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(entry), len(local), 0)
    path.write_bytes(local + entry + end)
    return path


MEASURED = """
import resource, sys
from pathlib import Path
from kineme.errors import KinemeError
from kineme.evaluation.results import Predictions
from kineme.evaluation.detection.predictions import Detections
from kineme.sources.recordings import open_recordings
from kineme.layouts import get_layout

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

path, before = Path(sys.argv[1]), peak()
for read in (
    Predictions.load,
    Detections.load,
    lambda path: open_recordings(path, {}, get_layout("ntu25")),
):
    try:
        read(path)
    except KinemeError as error:
        print(error, file=sys.stderr)
    else:
        raise SystemExit("was read")
print(peak() - before)
"""


@pytest.mark.parametrize("claimed", [None, 1 << 20], ids=["as it is", "as a small one"])
def test_a_zip_of_4_mb_that_holds_4_gb_takes_no_memory(tmp_path: Path, claimed: int | None) -> None:
    """Whether its directory tells its size or lies, in every reader of archives of arrays."""
    path = _bomb(tmp_path / "knn.npz", claimed=claimed)
    assert path.stat().st_size < 5e6
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, path], capture_output=True, text=True, timeout=120, check=True
    )
    assert len(ended.stderr.strip().splitlines()) == 3
    assert float(ended.stdout) < 100  # MB


@pytest.mark.parametrize(
    "name", ["\033[2J", "a\nb", "a\0b", "\x9bx", "\u202egnp.exe", "\u2028", "\ud800", "", "a" * 301]
)
def test_names_that_act_on_a_terminal_are_bad(name: str) -> None:
    assert bad_name(["walk", name])
    if name and not name.endswith("\0"):
        assert bad_names(np.array(["walk", name])) or "\0" in name


def test_names_of_people_and_motions_are_good() -> None:
    names = ["walk 1", "größe", "歩く", "می‌روم", "a/b", "<b>", "$x_1$", "S001C002P003", "👋", "a\u00a0b"]
    assert bad_name(names) is None
    assert bad_names(np.array(names)) is None
    assert bad_names(np.array([], dtype="<U4")) is None
