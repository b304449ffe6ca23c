"""The command `kineme`. Only the chosen command's modules are imported, so that help is there at once."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections.abc import Sequence

from kineme import __version__
from kineme.errors import KinemeError, SharedError
from kineme.launch import helps, repeats
from kineme.system import interrupt, open_closed, print_anything

COMMANDS = {
    "demo": "generate motion, pre-train, evaluate and plot, in minutes",
    "generate": "make a clip store of generated motion",
    "prepare": "make a clip store from raw recordings",
    "join": "merge several clip stores into one",
    "info": "describe a clip store or a run",
    "layouts": "list and draw joint layouts, and write one for your recordings",
    "show": "draw a clip: a page that plays it, an animation or a strip of poses",
    "pretrain": "train an encoder without labels, from a recipe or with settings chosen from the clips",
    "search": "find clips or moments in a store that resemble an example",
    "cluster": "find kinds of motion without labels, and where one ends and the next begins",
    "teach": "train a classifier on a handful of labelled clips or moments",
    "predict": "label recordings with a taught classifier or a trained detector",
    "watch": "watch a live stream of poses and report what begins and ends",
    "explore": "browse a library of motion on a page, search it, label it, watch the classifier learn",
    "embed": "write features of recordings, or of windows of them, to a table",
    "export": "write a model for use without PyTorch: ONNX and a program that runs it",
    "push": "share a run on the Hugging Face Hub",
    "evaluate": "measure an encoder: linear, knn, transfer, finetune, semi, detect, robust, ...",
    "fuse": "ensemble joint, bone and motion runs",
    "report": "write an HTML report on one or more runs",
    "reproduce": "run an experiment grid",
    "convert": "turn a published checkpoint into a run directory",
}
CLOSED_PIPE, USAGE_ERROR, INTERRUPTED = 1, 2, 130
PATIENCE = 3  # seconds: launchers end all processes when one ends, and the first one is to speak before
MENDABLE = {  # failures of the system that users can do something about
    errno.ENOSPC: "the disk is full; free some space",
    errno.EACCES: "permission denied; choose another place, or fix the permissions",
    errno.EROFS: "the file system is read-only; choose another place",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "is a link that leads to itself; mend it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        the exit status: 0; 2 for a user's mistake; 130 if interrupted by Ctrl-C or SIGTERM; 1 if the output
        is closed, as by `| head`.
    """
    if own := argv is None:  # this process is the command's own
        argv = sys.argv[1:]
        # `python -m` finds modules in the current directory and a console script does not; recipes name one's
        # own methods and encoders there. At the end, so that no file there hides an installed module.
        sys.path.append("")
        signal.signal(signal.SIGTERM, interrupt)  # clean up and say so, as on Ctrl-C
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as behind `&`
            signal.signal(signal.SIGINT, interrupt)
        open_closed()
        print_anything(sys.stdout, sys.stderr)
    command, *words = argv or ["--help"]
    if repeats() and command != "pretrain":
        return 0
    try:
        if command in ("-h", "--help", "help"):
            print(overview())
        elif command == "--version":
            print(f"kineme {__version__}")
        else:
            _run(command, words)
        sys.stdout.flush()
        if own:
            _ignore(signal.SIGINT, signal.SIGTERM)
        return 0
    except BrokenPipeError:
        # Python flushes once more at exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    except (KinemeError, OSError, MemoryError, RecursionError) as error:
        if own and isinstance(error, SharedError) and helps():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            time.sleep(PATIENCE)
            return USAGE_ERROR
        reason = _reason(error)
    except RuntimeError as error:  # as which PyTorch says it
        if "allocate memory" not in str(error) and "out of memory" not in str(error):
            raise
        reason = "there is not enough memory for these settings; lower them, or give less at once"
    except KeyboardInterrupt as stopped:  # a command may say in it what it has done
        if own:  # impatience must not interrupt the last words
            _ignore(signal.SIGINT)
        done = str(stopped) or "finished outputs are kept"
        if not helps():
            print(f"\nkineme {command}: interrupted; {done}", file=sys.stderr)
        return INTERRUPTED
    if own:
        _ignore(signal.SIGINT, signal.SIGTERM)
    print(f"kineme {command}: error: {_harmless(reason)}", file=sys.stderr)
    return USAGE_ERROR


def _reason(error: KinemeError | OSError | MemoryError | RecursionError) -> str:
    """What went wrong, and what to do, in one line."""
    match error:
        case KinemeError():
            return str(error)
        case OSError():
            failure = MENDABLE.get(error.errno or 0) or str(error.strerror or error).lower()
            return f"{_shown(error.filename) or 'the system'}: {failure}"
        case MemoryError():
            return f"there is not enough memory ({_shown(error) or 'it is used up'}); give less at once"
    return "an input is nested too deeply; flatten it"


def _ignore(*signals: signal.Signals) -> None:
    """The work is done: a signal that comes while Python ends does not change the exit status.

    Blocking them would hold for this thread only, and Python ends by those that another thread then takes.
    """
    for each in signals:
        signal.signal(each, signal.SIG_IGN)


def _shown(what: object) -> str:
    """On one line, without what could act on a terminal."""
    return "" if what is None else _harmless(" ".join(str(what).split()))


def _harmless(text: str) -> str:
    """Without what could act on a terminal: files of strangers are quoted in messages."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _run(command: str, words: Sequence[str]) -> None:
    if command not in COMMANDS:
        from kineme.arguments import did_you_mean

        hint = did_you_mean(command, COMMANDS) or f"; choose from {', '.join(COMMANDS)}"
        raise KinemeError(f"unknown command {command!r}{hint}")
    from kineme.commands import run

    run(command, words)


def overview() -> str:
    """What `kineme --help` prints."""
    commands = "\n".join(f"  {name:10} {summary}" for name, summary in COMMANDS.items())
    return f"""\
usage: kineme COMMAND [OPTIONS]

Self-supervised learning of human motion from skeletons.

commands:
{commands}

`kineme COMMAND --help` explains a command. To get started: kineme demo"""


if __name__ == "__main__":
    sys.exit(main())
