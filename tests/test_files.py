"""Atomic writes and locks."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import windows
from windows import needs_proc

from kineme.errors import KinemeError
from kineme.files import atomic_write, claimed, entries, foreign, locked, remove_own, synchronise, unlock


def test_a_file_appears_when_it_is_whole_and_replaces_the_earlier_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    for text in ("first", "second"):
        with atomic_write(path) as aside:
            aside.write_text(text)
            assert aside.suffix == ".csv"
            assert not path.exists() or path.read_text() != text
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def write(path: Path, text: str, error: BaseException) -> None:
    with atomic_write(path) as aside:
        aside.write_text(text)
        raise error


@pytest.mark.parametrize("error", [ValueError("ours"), KeyboardInterrupt()])
def test_leaving_by_an_exception_keeps_the_earlier_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "table.csv"
    path.write_text("earlier")
    with pytest.raises(type(error)):
        write(path, "half of i", error)
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(KinemeError, match=r"table\.csv: the disk is full; free some space"):
        write(tmp_path / "table.csv", "half of i", full)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "table.csv"
    with pytest.raises(KinemeError, match=r"file/table\.csv: cannot be written"), atomic_write(path):
        pass


def test_a_second_process_is_refused_until_the_first_has_finished(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "joint"
    with locked(path, "this run"):
        reason = rf"joint: this run is being written by another process \(pid {os.getpid()}\); wait for it or"
        with pytest.raises(KinemeError, match=reason), locked(path, "this run"):
            pass
        with locked(path.with_name("bone"), "this run"):
            pass
    assert list(tmp_path.iterdir()) == []  # a folder that was made for the lock goes with it
    with locked(path, "this run"):
        pass


@needs_proc
def test_on_windows_a_second_process_is_refused_and_the_file_of_the_lock_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows.pretend(monkeypatch)
    path = tmp_path / "runs" / "joint"
    with locked(path, "this run"):
        reason = rf"joint: this run is being written by another process \(pid {os.getpid()}\); wait for it or"
        with pytest.raises(KinemeError, match=reason), locked(path, "this run"):
            pass
        assert [each.name for each in path.parent.iterdir()] == [".joint.lock"]
    assert list(tmp_path.iterdir()) == []


@needs_proc
def test_on_windows_files_are_flushed_and_directories_need_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows.pretend(monkeypatch)
    (tmp_path / "kept.txt").write_text("whole")
    with pytest.raises(PermissionError):
        os.open(tmp_path, os.O_RDONLY)
    synchronise(tmp_path / "kept.txt")
    synchronise(tmp_path)
    assert (tmp_path / "kept.txt").read_text() == "whole"


def test_the_file_of_a_killed_process_locks_nothing(tmp_path: Path) -> None:
    (tmp_path / ".joint.lock").write_text("1")
    with locked(tmp_path / "joint", "this run"):
        assert (tmp_path / ".joint.lock").read_text() == str(os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_killed_process_is_removed_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    path, file = tmp_path / "joint", tmp_path / ".joint.lock"
    file.write_text("1")
    unlock(path)
    assert not file.exists()
    with locked(path, "this run"):
        unlock(path)
        assert file.exists()


def test_a_lock_on_a_file_that_its_holder_removes_is_not_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder finishes after this process opened its file and before it locked it."""
    file, opened = tmp_path / ".joint.lock", os.open

    def open_and_lose(*arguments: object) -> int:
        monkeypatch.setattr(os, "open", opened)
        descriptor = opened(*arguments)  # type: ignore[arg-type]
        file.unlink()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    with locked(tmp_path / "joint", "this run"):
        assert file.read_text() == str(os.getpid())


def test_what_a_process_has_claimed_it_may_lock_again(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with claimed(path, "this file"), locked(path, "this table"):
        pass
    with (
        locked(path, "this table"),
        pytest.raises(KinemeError, match="this file is being written"),
        claimed(path, "this file"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("there", [True, False])
def test_what_a_link_names_is_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "disk" / "table.csv")
    if there:
        (tmp_path / "disk").mkdir()
        (tmp_path / "disk" / "table.csv").write_text("earlier")
    with locked(tmp_path / "link.csv", "this table"), atomic_write(tmp_path / "link.csv") as aside:
        aside.write_text("new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "disk" / "table.csv").read_text() == "new"
    assert [path.name for path in (tmp_path / "disk").iterdir()] == ["table.csv"]


def test_a_link_to_itself_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    with atomic_write(tmp_path / "loop.csv") as aside:  # the link is replaced: nothing is lost
        aside.write_text("new")
    assert (tmp_path / "loop.csv").read_text() == "new"


def test_the_current_folder_and_the_one_above_are_locked_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project" / "run").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "run")
    with locked(Path("."), "this run"), locked(Path(".."), "this project"):
        assert (tmp_path / "project" / ".run.lock").exists()
        assert (tmp_path / ".project.lock").exists()
    refused = pytest.raises(KinemeError, match="/: is the root of the file system; choose a folder in it")
    with refused, locked(Path("/"), "this run"):
        pass


def test_an_unreadable_folder_is_named_and_not_taken_for_an_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.json", "a.json", "notes.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in entries(tmp_path, "*.json")] == ["a.json", "b.json"]
    assert entries(tmp_path / "none", "*") == []

    def refused(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", f"{folder}")

    monkeypatch.setattr(Path, "iterdir", refused)  # root reads everything
    with pytest.raises(KinemeError, match=rf"{tmp_path}: cannot be read \(permission denied\); fix its perm"):
        entries(tmp_path, "*.json")


def test_only_own_files_are_removed(tmp_path: Path) -> None:
    own = ("config.yaml", "results/*.json", "logs/")
    names = ["config.yaml", "results/knn.json", "logs/a/b.csv", "results/.a.partial-1.json", ".x.lock"]
    for name in names:
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).touch()
    assert foreign(tmp_path / "run", own) == tmp_path / "run" / "results" / "knn.json"  # not as we begin one
    (tmp_path / "run" / "results" / "knn.json").write_text('{\n "unit": "per cent",\n "protocol": "knn"}')
    assert foreign(tmp_path / "run", own) is None
    kept = ("results/a.txt", "results/theirs.json", "results/deep/b.json", "notes.md", "a/config.yaml")
    for name in kept:
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).touch()
        assert foreign(tmp_path / "run", own) is not None
    (tmp_path / "run" / "config.yaml").unlink()
    (tmp_path / "run" / "config.yaml").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").touch()
    remove_own(tmp_path / "run", own)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {f"run/{name}" for name in kept} | {"elsewhere"}
    for name in left:
        (tmp_path / name).unlink()
    (tmp_path / "run" / "results" / "deep").rmdir()
    (tmp_path / "run" / "a").rmdir()
    remove_own(tmp_path / "run", own)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_file_in_its_folder(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here, elsewhere = platform.node(), "another-machine"
    names = [f".table.partial-{here}-{number}.csv" for number in (gone.pid, os.getppid())]
    names += [f".table.partial-{elsewhere}-{gone.pid}.csv", ".table.partial-mine.csv"]
    for name in names:
        (tmp_path / name).touch()
    with atomic_write(tmp_path / "other.csv") as aside:
        aside.touch()
    assert {path.name for path in tmp_path.iterdir()} == {"other.csv", *names[1:]}
