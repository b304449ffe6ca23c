"""`kineme generate`."""

from jsonargparse import auto_cli

from kineme.clips.store import ClipStore
from kineme.commands.generate import generate


def run(*arguments):
    return auto_cli(generate, args=[str(argument) for argument in arguments])


def test_command_line_makes_the_store_it_names(tmp_path, capsys):
    run(
        tmp_path / "toy",
        "--subjects=2",
        "--repetitions=1",
        "--cameras=[1, 3]",
        "--actions=[bow, sit down]",
    )
    store = ClipStore(tmp_path / "toy")
    assert len(store) == 2 * 2 * 2
    assert store.manifest.class_names == ("bow", "sit down")
    assert set(store.index["camera"].tolist()) == {1, 3}
    assert "8 clips" in capsys.readouterr().out


def test_untrimmed_store_from_the_command_line(tmp_path):
    run(tmp_path / "long", "--subjects=1", "--repetitions=1", "--untrimmed=true", "--seconds=16")
    store = ClipStore(tmp_path / "long")
    assert store.index["frames"].tolist() == [480] * 3
    assert store.labels.tolist() == [-1] * 3
