"""The command line: fast help, options from signatures, one line for a user's mistake."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
from cyclopts import Parameter

from conftest import write_store
from kineme import __version__, commands
from kineme.__main__ import CLOSED_PIPE, COMMANDS, INTERRUPTED, USAGE_ERROR, main, overview
from kineme.clips.store import ClipStore
from kineme.commands.evaluate import COMMANDS as PROTOCOLS
from kineme.errors import KinemeError
from kineme.sources.reading import Reading


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


def test_what_a_message_quotes_of_a_file_does_not_act_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "\033[2J\u202eevil.yaml"
    recipe.write_text("method: {}")
    assert main(["pretrain", str(recipe)]) == USAGE_ERROR
    assert "?[2J?evil.yaml: names no method" in capsys.readouterr().err


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
        "print({'torch', 'numpy', 'cyclopts', 'jsonargparse', 'yaml', 'rich', 'logging'} & set(sys.modules))"
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


TYPOS = [  # each a command line with one mistake; `run` and `store` are there
    "info nowhere",
    "show nowhere",
    "prepare poses nowhere out",
    "pretrain nowhere",
    "pretrain usdrl-smal --store store",
    "pretrain usdrl-small --store store --stor other",
    "pretrain --resume nowhere",
    "search nowhere store --like walk",
    "search run nowhere --like walk",
    "search run store --like walk --page walk.txt",
    "search run store --like walk --window 2x",
    "cluster nowhere store",
    "cluster run nowhere",
    "cluster run store --window 2x",
    "cluster run store --page kinds.txt",
    "teach nowhere labels.csv",
    "teach run nowhere.csv",
    "teach run labels.csv --store nowhere",
    "teach run labels.csv --suggestions next.csv",
    "predict nowhere store",
    "predict run nowhere",
    "predict run store",
    "predict run store --classifier ways",
    "watch nowhere",
    "watch run --classifier ways",
    "watch run --like walk --library nowhere",
    "watch run --like walk --window 2x",
    "explore nowhere run",
    "explore store nowhere",
    "explore store run nowhere",
    "embed nowhere store",
    "embed run nowhere",
    "embed run store --window 2x",
    "embed run store --out features.txt",
    "export nowhere",
    "export run --classifier ways",
    "push nowhere anna/walking --licence mit",
    "push run walking --licence mit",
    *(f"evaluate {name} nowhere" for name in PROTOCOLS),
    *(f"evaluate {name} run --store nowhere" for name in PROTOCOLS),
    "fuse run nowhere",
    "report nowhere",
    "report run --store nowhere",
    "reproduce nowhere",
    "reproduce small --store nowhere",
    "convert usdrl nowhere.pt out",
]


def test_a_mistyped_path_or_option_is_answered_without_pytorch(tmp_path: Path) -> None:
    """PyTorch, and more so Lightning, take seconds to import."""
    (tmp_path / "run").mkdir()
    for name in ("config.yaml", "model.safetensors"):
        (tmp_path / "run" / name).touch()
    write_store(tmp_path / "store")
    (tmp_path / "labels.csv").write_text("name,label\n")
    code = (
        "import sys, kineme.__main__ as m\n"
        "for line in sys.stdin.read().splitlines():\n"
        "    status = m.main(line.split())\n"
        "    if status != 2 or 'torch' in sys.modules:\n"
        "        sys.exit(f'{line}: {status}')"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], input="\n".join(TYPOS), capture_output=True, text=True, cwd=tmp_path
    )
    assert found.returncode == 0, found.stderr
    lines = found.stderr.splitlines()
    assert len(lines) == len(TYPOS)
    for typed, line in zip(TYPOS, lines, strict=True):
        assert line.startswith(f"kineme {typed.split()[0]}: error: ")


def test_only_training_imports_lightning() -> None:
    """It takes seconds to import, and brings matplotlib with it."""
    rooms = (
        "commands.tables",
        "evaluation.detection.protocol",
        "evaluation.fewlabels",
        "evaluation.recognition",
        "evaluation.robust",
        "explore.serving",
        "inference.classifying.detectors",
        "inference.clustering.cluster",
        "inference.embed",
        "inference.exporting.export",
        "inference.searching.retrieval",
        "inference.watching.watcher",
        "report.kinds",
        "report.page",
        "sharing.pushing",
    )
    code = (
        f"import sys, {', '.join(f'kineme.{room}' for room in rooms)}; "
        "print({'lightning', 'matplotlib', 'scipy.signal', 'sklearn', 'torch._dynamo'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["genrate"], "kineme genrate: error: unknown command 'genrate'; did you mean generate?"),
        (["xyz"], f"kineme xyz: error: unknown command 'xyz'; choose from {', '.join(COMMANDS)}"),
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
        (["generate", "a", "b"], "unexpected argument 'b'; see kineme generate --help"),
        (
            ["convert", "moco", "a", "out"],
            "SYSTEM is moco; it must be one of aimclr, mamp, scdnet, slim, usdrl",
        ),
        (["prepare", "ntu", "raw", "out"], "unknown source 'ntu'"),
        (["generate", "o", "--seed", "1", "--seed=2"], "--seed is given twice; see kineme generate --help"),
        (
            ["prepare", "ntu60"],
            "missing: RAW, as in `kineme prepare SOURCE RAW OUT`; see kineme prepare --help",
        ),
        (["predict", "run"], "missing: INPUTS, as in `kineme predict RUN INPUTS`; see kineme predict --help"),
        (["explore", "run"], "missing: RUN, as in `kineme explore STORE RUN`; see"),
        (["search", "run", "store"], "missing: --like, as in `kineme search RUN LIBRARY --like ...`; see"),
        (["prepare", "ntu60", "/nowhere", "out"], "/nowhere"),
        (["evaluate", "liner", "run"], "unknown protocol 'liner'; did you mean linear?"),
        (
            ["evaluate", "x", "run"],
            "unknown protocol 'x'; choose from linear, knn, early, robust, fewshot, transfer, finetune, "
            "semi, detect",
        ),
        (["evaluate", "knn"], "missing: RUN; see kineme evaluate knn --help"),
        (["evaluate", "knn", "run", "--device", "gpu"], "--device is gpu; it must be one of auto, cpu, cuda"),
        (
            ["evaluate", "knn", "run", "--alow-recipe"],
            "unknown option --alow-recipe; did you mean --allow-preprocessing?",
        ),
        (
            ["evaluate", "semi", "run", "--no-baselines"],  # not --no-map-joints
            "unknown option --no-baselines; see kineme evaluate semi --help",
        ),
        (
            ["evaluate", "knn", "run", "--no-baseline"],
            "unknown option --no-baseline; did you mean --no-baselines?",
        ),
        (["evaluate", "knn", "/nowhere"], "/nowhere: no such run or weights"),
        (["report"], "missing: RUNS; see kineme report --help"),
        (
            ["report", "/nowhere", "--out", "page.html"],
            "/nowhere: is not a run directory (it has no",
        ),
    ],
)
def test_mistakes_earn_one_line(words: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert line in refusal(capsys, *words)


@pytest.mark.parametrize("words", [["evaluate"], ["evaluate", "--help"], ["evaluate", "-h"]])
def test_evaluate_lists_its_protocols(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    shown = capsys.readouterr().out
    usage, purpose, *_ = shown.split("\n\n")
    assert usage == "usage: kineme evaluate PROTOCOL [OPTIONS] ..."
    assert purpose == "Evaluate a pre-trained encoder with standard protocols."
    assert shown.index("\n  linear  ") < shown.index("\n  knn  ") < shown.index("\n  transfer  ")


@dataclass(frozen=True)
class Clips:
    """Options that several commands share.

    Args:
        store: Clip store.
        map_joints: Give clips the encoder's joints.
    """

    store: Path | None = None
    map_joints: bool = False


def example(
    runs: list[Path],
    *,
    out: Path = Path("page.html"),
    device: Literal["auto", "cpu"] = "auto",
    cameras: list[int] | None = None,
    actions: list[str] | None = None,
    lr: float | None = None,
    baselines: bool = True,
    overwrite: bool = False,
    clips: Annotated[Clips, Parameter(name="*")] = Clips(),
) -> None:
    """Show what a command may be
    made of.

    A second paragraph, of which the help makes
    one line where there is room.

      kineme example RUN

    Args:
        runs: Run directories.
        out: File to write.
        device: Where to
            compute.
        cameras: Cameras.
        actions: Names; all by default.
        lr: Learning rate.
        baselines: Measure them.
        overwrite: Replace the file.

    Raises:
        KinemeError: it is asked to.
    """
    CALLS.append(locals())


CALLS: list[dict[str, Any]] = []
DEFAULTS = {
    "out": Path("page.html"),
    "device": "auto",
    "cameras": None,
    "actions": None,
    "lr": None,
    "baselines": True,
    "overwrite": False,
    "clips": Clips(),
}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., None]], None]:
    """Makes a function the command `kineme example`."""

    def add(function: Callable[..., None]) -> None:
        module = ModuleType("kineme.commands.example")
        module.example = function  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(COMMANDS, "example", "an example")

    CALLS.clear()
    add(example)
    return add


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("a", {}),
        ("a b/c --out d", {"runs": [Path("a"), Path("b/c")], "out": Path("d")}),
        ("--out d a --overwrite b", {"runs": [Path("a"), Path("b")], "out": Path("d"), "overwrite": True}),
        ("a --device=cpu --lr 1e-3", {"device": "cpu", "lr": 0.001}),
        ("a --cameras 1 -2 --overwrite", {"cameras": [1, -2], "overwrite": True}),
        ("a --cameras 1 2 --lr=3 --cameras=3", {"cameras": [1, 2, 3], "lr": 3.0}),
        ("a --actions wave no 3", {"actions": ["wave", "no", "3"]}),
        ("a --actions x=y --store=a=b", {"actions": ["x=y"], "clips": Clips(store=Path("a=b"))}),
        ("a --no-baselines", {"baselines": False}),
        ("a --baselines=false --overwrite=false", {"baselines": False}),
        ("a --store s --map-joints", {"clips": Clips(Path("s"), map_joints=True)}),
    ],
)
@pytest.mark.usefixtures("command")
def test_signatures_are_the_options(words: str, given: dict[str, Any]) -> None:
    assert main(["example", *words.split()]) == 0
    (call,) = CALLS
    assert call == {"runs": [Path("a")], **DEFAULTS, **given}


@pytest.mark.usefixtures("command")
def test_words_with_blanks_and_quotes_stay_whole() -> None:
    names = ["sit down", 'say "hi", then', "größe"]
    assert main(["example", "a", "--actions", *names]) == 0
    assert CALLS[0]["actions"] == names


@pytest.mark.usefixtures("command")
def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells leave the `~` of `--out=~/x`, and those of Windows leave every one."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert main(["example", "~/a", "~b", "--out=~/x.html", "--actions", "wave=~/no"]) == 0
    assert CALLS[0]["runs"] == [tmp_path / "a", Path("~b")]
    assert (CALLS[0]["out"], CALLS[0]["actions"]) == (tmp_path / "x.html", ["wave=~/no"])


@pytest.mark.usefixtures("command")
def test_docstrings_are_the_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["example", "--help"]) == 0
    assert (
        capsys.readouterr().out
        == """\
usage: kineme example [OPTIONS] RUNS

Show what a command may be made of.

A second paragraph, of which the help makes one line where there is room.

  kineme example RUN

  RUNS ...                    Run directories.
  --out PATH                  File to write. (default: page.html)
  --device {auto,cpu}         Where to compute. (default: auto)
  --cameras INT...            Cameras.
  --actions STR...            Names; all by default.
  --lr FLOAT                  Learning rate.
  --baselines/--no-baselines  Measure them. (default: on)
  --overwrite                 Replace the file.
  --store PATH                Clip store.
  --map-joints                Give clips the encoder's joints.
"""
    )


@pytest.mark.usefixtures("command")
def test_help_keeps_its_words_whole_in_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert main(["example", "--help"]) == 0
    described = """\
  --device {auto,cpu}
        Where to compute. (default:
        auto)
"""
    assert described in capsys.readouterr().out


@pytest.mark.parametrize("columns", ["80", "120"])
@pytest.mark.parametrize("name", [*COMMANDS, "evaluate linear", "evaluate detect"])
def test_every_command_s_help_fits_the_terminal(
    name: str, columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: kineme {name}")
    assert max(map(len, shown.splitlines())) <= min(int(columns), 100)
    assert "_" not in shown.partition("\n\n")[0]
    assert "[ARGS]" not in shown  # but what they are called below
    assert "Raises" not in shown


def test_lists_reach_the_command(tmp_path: Path) -> None:
    words = "--subjects 1 --repetitions 1 --cameras 1 3 --actions bow"
    assert main(["generate", str(tmp_path / "toy"), *words.split(), "sit down"]) == 0
    store = ClipStore(tmp_path / "toy")
    assert store.manifest.class_names == ("bow", "sit down")
    assert set(store.index["camera"].tolist()) == {1, 3}
    assert main(["generate", str(tmp_path / "toy"), *words.split()]) == USAGE_ERROR  # is there already
    assert main(["generate", str(tmp_path / "toy"), *words.split(), "--overwrite"]) == 0
    assert ClipStore(tmp_path / "toy").manifest.class_names == ("bow",)


def test_errors_name_parameters_as_the_command_spells_them(
    command: Callable[[Callable[..., None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(run: Path, *, clips: Annotated[Clips, Parameter(name="*")] = Clips()) -> None:
        raise KinemeError("`run`: set `map_joints`, `joint_map` or `data.store`; see `plain(facing=True)`")

    command(fails)
    assert refusal(capsys, "example", "a") == (
        "kineme example: error: RUN: set --map-joints, `joint_map` or `data.store`; see `plain(facing=True)`"
    )


def test_what_the_library_says_goes_to_stderr(
    command: Callable[[Callable[..., None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("kineme.somewhere")

    def talks(*, clips: Annotated[Clips, Parameter(name="*")] = Clips()) -> None:
        logger.debug("hidden")
        logger.info("%d epochs", 3)
        logger.warning("3 test clips were seen in training; set `map_joints`")
        source = Path(commands.__file__).parents[1] / "clips" / "store.py"
        warnings.warn_explicit("half of the clips are empty", RuntimeWarning, str(source), 1)

    command(talks)
    assert main(["example"]) == 0
    assert capsys.readouterr() == (
        "",
        "3 epochs\n"
        "warning: 3 test clips were seen in training; set --map-joints\n"
        "warning: half of the clips are empty\n",
    )
    logger.info("no longer")
    assert capsys.readouterr().err == ""


def test_interrupts_and_failures_of_the_system_are_no_tracebacks(
    command: Callable[[Callable[..., None]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(error: BaseException) -> None:
        def fails() -> None:
            raise error

        command(fails)

    stop(KeyboardInterrupt())
    assert main(["example"]) == INTERRUPTED
    assert capsys.readouterr().err == "\nkineme example: interrupted; finished outputs are kept\n"
    stop(OSError(28, "No space left on device", "stores/mine"))
    assert refusal(capsys, "example") == (
        "kineme example: error: stores/mine: the disk is full; free some space"
    )
    stop(PermissionError(13, "Permission denied", "/data/run"))
    assert refusal(capsys, "example") == (
        "kineme example: error: /data/run: permission denied; choose another place, or fix the permissions"
    )
    for error, reason in (
        (OSError(5, "Input/output error", "disk/a\n\033[31mb"), "disk/a ?[31mb: input/output error"),
        (OSError(36, "File name too long", "a" * 9), "aaaaaaaaa: the name is too long; choose a shorter one"),
        (MemoryError(), "there is not enough memory (it is used up); give less at once"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
            "there is not enough memory for these settings; lower them, or give less at once",
        ),
        (RecursionError("maximum"), "an input is nested too deeply; flatten it"),
    ):
        stop(error)
        assert refusal(capsys, "example") == f"kineme example: error: {reason}"


def test_sigterm_is_an_interrupt() -> None:
    code = (
        "import sys, time, kineme.__main__ as m\n"
        "def run(command, words): print('begun', flush=True); time.sleep(60)\n"
        "import kineme.commands; kineme.commands.run = run\n"
        "sys.argv = ['kineme', 'demo']; sys.exit(m.main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert process.returncode == INTERRUPTED
    assert said == "\nkineme demo: interrupted; finished outputs are kept\n"


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("words", "status"), [("--version", 0), ("info nowhere", USAGE_ERROR)])
def test_a_signal_that_comes_when_all_is_done_changes_nothing(
    words: str, status: int, kind: signal.Signals
) -> None:
    # The other thread would take a signal that is blocked for the first alone.
    code = (
        "import os, sys, threading, time\n"
        "from kineme.__main__ import main\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        f"sys.argv = {['kineme', *words.split()]}\n"
        "status = main()\n"
        f"os.kill(os.getpid(), {int(kind)})\n"
        "time.sleep(0.1)\n"
        "sys.exit(status)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == status


@pytest.mark.parametrize("option", ["--json", "--no-json"])
def test_a_closed_pipe_ends_quietly(option: str, moves: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-m", "kineme", "info", str(moves), option]
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (CLOSED_PIPE, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("words", [["--help"], ["pretrain", "--help"], ["pretrain", "usdrl-small", "--help"]])
def test_a_full_disk_is_told_also_of_help(words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kineme", *words], stdout=full, stderr=subprocess.PIPE, text=True
        )
    said = f"kineme {words[0]}: error: the system: the disk is full; free some space\n"
    assert (done.returncode, done.stderr) == (USAGE_ERROR, said)


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX closes the outputs")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_outputs_may_be_closed(moves: Path, closed: str) -> None:
    """As daemons start their commands."""
    line = f'"$0" -m kineme info "$1" {closed}'
    done = subprocess.run(["sh", "-c", line, sys.executable, str(moves)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_the_current_directory_is_searched_last(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("")
    (tmp_path / "json.py").write_text("raise SystemExit('hides the library')")
    code = (
        "import sys; sys.path[:] = [each for each in sys.path if each]; from kineme.__main__ import main; "
        "sys.argv = ['kineme', '--version']; main(); import json, mine; print(mine.__file__)"
    )
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [f"kineme {__version__}", str(tmp_path / "mine.py")], done.stderr


@pytest.mark.parametrize("name", ["prepare", "embed", "search", "cluster", "teach", "predict"])
def test_commands_that_read_recordings_share_their_options(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    for option in Reading.__annotations__:
        assert f"  --{option.replace('_', '-')}" in shown
