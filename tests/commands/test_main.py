"""The command line: quick help, plain words to users, no traceback for their mistakes."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from kineme import __version__, commands
from kineme.__main__ import COMMANDS, INTERRUPTED, USAGE_ERROR, main, overview
from kineme.clips.store import ClipStore
from kineme.commands import spelt_out


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line that a mistake earns."""
    assert main(words) == USAGE_ERROR
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_help_names_every_command_and_there_is_a_file_for_each() -> None:
    for name in COMMANDS:
        assert f"\n  {name} " in overview()
        assert find_spec(f"kineme.commands.{name}") is not None, name


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"], ["help"]])
def test_help_is_shown(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == overview() + "\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kineme {__version__}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, kineme, kineme.__main__ as m; m.overview(); "
        "print({'torch', 'lightning', 'numpy', 'jsonargparse', 'yaml', 'rich', 'sklearn'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


def test_recipes_are_listed_without_torch() -> None:
    code = (
        "import sys, kineme.__main__ as m; status = m.main(['pretrain', '--help']); "
        "print(status, {'torch', 'lightning'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "aimclr-small" in found.stdout
    assert found.stdout.endswith("0 set()\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["genrate"], "kineme genrate: error: no command is called 'genrate'; did you mean generate?"),
        (["xyz"], f"kineme xyz: error: no command is called 'xyz'; there are {', '.join(COMMANDS)}"),
        (["generate", "o", "--subjcts", "3"], "unknown option --subjcts; did you mean --subjects?"),
        (
            ["generate", "o", "--subjects", "some"],
            "--subjects is some; it must be a whole number; see kineme",
        ),
        (["generate", "o", "--cameras", "1", "left"], "--cameras is left; it must be a whole number"),
        (["generate", "o", "--overwrite=perhaps"], "--overwrite is perhaps; it must be true or false"),
        (["generate", "o", "--seconds"], "--seconds needs a value; see kineme generate --help"),
        (["generate", "o", "--actions", "--seed=3"], "--actions needs a value"),
        (["generate"], "missing: OUT; see kineme generate --help"),
        (["generate", "a", "b"], "there is nothing that 'b' could be; see kineme generate --help"),
        (["prepare", "ntu", "raw", "out"], "SOURCE is ntu; it must be one of ntu60, ntu120, "),
        (["prepare", "ntu60"], "missing: RAW OUT"),
        (["prepare", "ntu60", "/nowhere", "out"], "/nowhere"),
        (["evaluate"], "kineme evaluate: error: name a protocol; there are "),
        (["evaluate", "liner", "run"], "no protocol is called 'liner'; did you mean linear?"),
        (["evaluate", "knn"], "missing: RUN; see kineme evaluate knn --help"),
        (["evaluate", "knn", "run", "--device", "gpu"], "--device is gpu; it must be one of auto, cpu, cuda"),
        (
            ["evaluate", "knn", "run", "--alow-recipe"],
            "unknown option --alow-recipe; did you mean --allow-preprocessing?",
        ),
        (["evaluate", "knn", "/nowhere"], "/nowhere: no such weights"),
        (["report"], "missing: RUNS; see kineme report --help"),
        (["report", "/nowhere", "--out", "page.html"], "/nowhere: is not a run directory (it has no config.yaml)"),
    ],
)
def test_mistakes_earn_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert line in refusal(capsys, *words)


@pytest.mark.parametrize("words", [["generate", "--help"], ["evaluate", "knn", "--help"]])
def test_a_command_s_help_is_its_docstring(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(words)
    shown = capsys.readouterr().out
    assert f"usage: kineme {' '.join(words[:-1])}" in shown
    assert "--allow-preprocessing" in shown or "--repetitions" in shown
    assert "_" not in shown.partition("\n\n")[0]
    assert "Raises" not in shown


def test_evaluate_lists_its_protocols(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "\n  linear  " in shown
    assert "\n  knn  " in shown


def test_an_interrupt_and_a_full_disk_are_no_tracebacks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(error: BaseException) -> None:
        def run(command: str, arguments: object) -> None:
            raise error

        monkeypatch.setattr(commands, "run", run)

    stop(KeyboardInterrupt())
    assert main(["demo"]) == INTERRUPTED
    assert "kineme demo: interrupted; finished outputs are kept" in capsys.readouterr().err
    stop(OSError(28, "No space left on device", "stores/mine"))
    assert refusal(capsys, "demo") == ("kineme demo: error: stores/mine: the disk is full; free some space")
    stop(OSError(5, "Input/output error"))
    with pytest.raises(OSError, match="Input/output"):
        main(["demo"])


def example(
    out: Path,
    *,
    overwrite: bool = False,
    cameras: list[int] | None = None,
    names: list[str] | None = None,
    seed: int = 0,
) -> None:
    """Nothing."""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("out --overwrite", ["out", "--overwrite=true"]),
        ("out --overwrite --seed 3", ["out", "--overwrite=true", "--seed", "3"]),
        ("out --overwrite false --seed=3", ["out", "--overwrite", "false", "--seed=3"]),
        ("out --overwrite=false", ["out", "--overwrite=false"]),
        ("out --cameras 1 2 3", ["out", "--cameras=[1, 2, 3]"]),
        ("out --cameras 1", ["out", "--cameras=[1]"]),
        ("out --cameras=1 --seed 3", ["out", "--seed", "3", "--cameras=[1]"]),
        ("out --cameras [1,3]", ["out", "--cameras=[1,3]"]),
        ("out --cameras=[1,3]", ["out", "--cameras=[1,3]"]),
        ("out --cameras 1 -2 --overwrite", ["out", "--overwrite=true", "--cameras=[1, -2]"]),
        ("out --cameras 1 2 --seed=3 --cameras=3", ["out", "--seed=3", "--cameras=[1, 2, 3]"]),
        ("out --names wave no 3", ["out", '--names=["wave", "no", "3"]']),
        ("", []),
    ],
)
def test_words_are_spelt_out(words: str, expected: list[str]) -> None:
    assert list(spelt_out(example, words.split())) == expected


def test_words_with_blanks_and_quotes_stay_whole() -> None:
    (option,) = spelt_out(example, ["--names", "sit down", 'say "hi", then', "größe"])
    assert option == '--names=["sit down", "say \\"hi\\", then", "größe"]'


def several(runs: list[Path], *, out: Path = Path("x"), overwrite: bool = False) -> None:
    """Nothing."""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a", ['["a"]']),
        ("a b/c --out page", ["--out", "page", '["a", "b/c"]']),
        ("--out page a --overwrite b", ["--out", "page", "--overwrite=true", '["a", "b"]']),
        ("--overwrite false a --out=page b", ["--overwrite", "false", "--out=page", '["a", "b"]']),
        ("--out page", ["--out", "page"]),
    ],
)
def test_a_list_without_an_option_is_of_all_words_that_belong_to_none(
    words: str, expected: list[str]
) -> None:
    assert list(spelt_out(several, words.split())) == expected


def test_lists_reach_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = "--subjects 1 --repetitions 1 --cameras 1 3 --actions bow"
    assert main(["generate", str(tmp_path / "toy"), *words.split(), "sit down"]) == 0
    store = ClipStore(tmp_path / "toy")
    assert store.manifest.class_names == ("bow", "sit down")
    assert set(store.index["camera"].tolist()) == {1, 3}
    assert main(["generate", str(tmp_path / "toy"), *words.split()]) == USAGE_ERROR  # is there already
    assert main(["generate", str(tmp_path / "toy"), *words.split(), "--overwrite"]) == 0
    assert ClipStore(tmp_path / "toy").manifest.class_names == ("bow",)


def test_help_shows_what_says_something(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["evaluate", "detect", "--help"])
    shown = capsys.readouterr().out
    assert "--finetune  " in shown  # a switch has no value
    assert "--baselines {true,false}" in shown
    assert "Seed of all that is drawn. (default: 0)" in shown
    assert "null" not in shown
    assert "untrimmed recordings.\n\nA linear" in shown  # paragraphs stay apart
    with pytest.raises(SystemExit, match="0"):
        main(["prepare", "--help"])
    assert "--axes {y-up,y-down,z-up}" in capsys.readouterr().out
