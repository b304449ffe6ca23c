"""A download is read where it lies, zipped or not."""

from __future__ import annotations

import errno
import os
import pickle
import zipfile
from pathlib import Path

import pytest

from kineme.errors import KinemeError
from kineme.sources.raw import find_files


def zipped(path: Path, **entries: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in entries.items():
            archive.writestr(name, text)
    return path


def listed(raw: Path, *suffixes: str) -> dict[str, str]:
    return {str(file.place): file.read(100).decode() for file in find_files(raw, *suffixes)}


def test_a_folder_a_zip_and_zips_in_a_folder_hold_the_same_files(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "b.txt").write_text("b")
    (folder / "deep" / "A.TXT").write_text("a")
    (folder / "deep" / "other.csv").write_text("no")
    zipped(tmp_path / "all.zip", **{"b.txt": "b", "deep/A.TXT": "a", "deep/other.csv": "no"})
    zips = tmp_path / "zips"
    zips.mkdir()
    zipped(zips / "one.zip", **{"b.txt": "b"})
    zipped(zips / "two.zip", **{"deep/A.TXT": "a"})

    assert listed(folder, ".txt") == {"b.txt": "b", "deep/A.TXT": "a"}
    assert listed(tmp_path / "all.zip", ".txt") == {"b.txt": "b", "deep/A.TXT": "a"}
    assert listed(zips, ".txt") == {"one.zip/b.txt": "b", "two.zip/deep/A.TXT": "a"}
    assert listed(folder / "b.txt", ".txt") == {"b.txt": "b"}


def test_what_was_unpacked_beside_its_zip_is_not_read_twice(tmp_path: Path) -> None:
    zipped(tmp_path / "clips.zip", **{"a.txt": "a"})
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.txt").write_text("a")
    assert list(listed(tmp_path, ".txt")) == ["clips/a.txt"]


def test_hidden_files_and_those_of_macos_are_passed_over(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", **{"a.txt": "a", ".a.txt": "x", "__MACOSX/a.txt": "x"})
    assert list(listed(tmp_path / "all.zip", ".txt")) == ["a.txt"]


def test_what_lies_beside_a_file(tmp_path: Path) -> None:
    """In its own folder only, of the disk or of the archive."""
    names = (
        "a/one.txt",
        "a/one.ASF",
        "a/two.asf",
        "a/._two.asf",
        "a/deep/three.asf",
        "b/four.asf",
        "five.asf",
    )
    for name in names:
        (tmp_path / "raw" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw" / name).write_text(name)
    zipped(tmp_path / "raw.zip", **{name: name for name in names})
    for raw in (tmp_path / "raw", tmp_path / "raw.zip"):
        (file,) = find_files(raw, ".txt")
        found = file.beside(".asf")
        assert [str(each.place) for each in found] == ["a/one.ASF", "a/two.asf"]
        assert [each.read(100) for each in found] == [b"a/one.ASF", b"a/two.asf"]
        (top,) = (each for each in find_files(raw, ".asf") if each.name == "five.asf")
        assert [each.name for each in top.beside(".asf")] == ["five.asf"]


def test_an_entry_that_points_outside_is_only_a_name(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", **{"../../outside.txt": "text", "/root.txt": "text"})
    assert list(listed(tmp_path / "all.zip", ".txt").values()) == ["text", "text"]
    assert [path.name for path in tmp_path.iterdir()] == ["all.zip"]


def test_a_file_can_be_read_in_another_process(tmp_path: Path) -> None:
    (file,) = find_files(zipped(tmp_path / "all.zip", **{"in/a.txt": "a"}), ".txt")
    again = pickle.loads(pickle.dumps(file))
    assert again.read(10) == b"a"
    assert (again.name, again.stem, str(again)) == ("a.txt", "a", f"{tmp_path}/all.zip/in/a.txt")


def test_a_stream_of_a_file_and_of_an_entry(tmp_path: Path) -> None:
    zipped(tmp_path / "all.zip", **{"a.txt": "abcdef"})
    (tmp_path / "b.txt").write_text("abcdef")
    files = find_files(tmp_path, ".txt")
    assert [file.name for file in files] == ["a.txt", "b.txt"]
    for file in files:
        assert file.size == 6
        with file.open() as stream:
            stream.seek(4)
            assert stream.read() == b"ef"
            stream.seek(1)
            assert stream.read(2) == b"bc"


def test_an_entry_that_swells_is_refused(tmp_path: Path) -> None:
    (file,) = find_files(zipped(tmp_path / "all.zip", **{"a.txt": "0" * 10_000_000}), ".txt")
    with pytest.raises(KinemeError, match=r"a\.txt: is far too large for a \.txt file \(more than 1,000 byt"):
        file.read(1000)


def test_links_to_folders_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("raw/a", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "one.txt").write_text("1")
    (tmp_path / "raw" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "raw" / "two.txt").symlink_to(tmp_path / "elsewhere" / "one.txt")  # to a file
    assert [str(file.place) for file in find_files(tmp_path / "raw", ".txt")] == ["a/one.txt", "two.txt"]
    assert caplog.messages == [f"{tmp_path}/raw/b: is a link to a folder, which is not followed"]


def test_damage_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinemeError, match="no such folder or file"):
        find_files(tmp_path / "none", ".txt")
    (tmp_path / "no.zip").write_text("no zip")
    with pytest.raises(KinemeError, match=r"no\.zip: is not a zip, or is damaged"):
        find_files(tmp_path / "no.zip", ".txt")
    path = zipped(tmp_path / "all.zip", **{"a.txt": "abcdefgh" * 100})
    data = bytearray(path.read_bytes())
    data[36:46] = b"\xff" * 10  # inside the compressed text
    path.write_bytes(data)
    (file,) = find_files(path, ".txt")
    with pytest.raises(KinemeError, match=r"all\.zip/a\.txt: cannot be read"):
        file.read(1000)


def test_a_damaged_name_is_not_quoted_at_length(tmp_path: Path) -> None:
    """zipfile takes the length of an entry's name from the entry, and shows all that it finds there."""
    path = zipped(tmp_path / "all.zip", **{"a.txt": "abcdefgh" * 1000})
    data = bytearray(path.read_bytes())
    data[26:28] = b"\x40\x00"
    path.write_bytes(data)
    (file,) = find_files(path, ".txt")
    with pytest.raises(
        KinemeError, match=r"a\.txt: cannot be read \(File name in directory .*\.\.\.\)"
    ) as refusal:
        file.read(10_000)
    assert len(str(refusal.value)) < len(str(path)) + 200


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("open", "secret", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "clip.json").touch()
    scan = os.scandir

    def scandir(path: str) -> object:
        if Path(path).name in unreadable:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    unreadable = {".hidden"}
    assert list(listed(tmp_path, ".json")) == ["open/clip.json", "secret/clip.json"]
    unreadable = {"secret"}
    with pytest.raises(KinemeError, match=r"secret: cannot be read \(permission denied\); fix its"):
        find_files(tmp_path, ".json")
