"""The command `kineme`. Only the chosen command's modules are imported, so that help is there at once."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

from kineme import __version__
from kineme.errors import KinemeError

COMMANDS = {
    "demo": "generate motion, pre-train, evaluate and draw, in minutes",
    "generate": "make a clip store of built-in motion",
    "prepare": "make a clip store of raw recordings",
    "info": "tell what is in a clip store",
    "show": "draw a clip: a page that plays, an animation, a strip",
    "pretrain": "train an encoder without labels, by a recipe",
    "evaluate": "measure an encoder: linear, knn, transfer, finetune, semi, detect",
    "detect": "find what happens when in new recordings",
    "fuse": "add up runs on joints, bones and motion",
    "reproduce": "work a grid of runs off, published figures beside obtained ones",
    "report": "show what runs are worth, on one page",
    "convert": "turn a published checkpoint into a run directory",
}
USAGE_ERROR = 2
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit status: 0, 2 for a user's mistake, 130 where it was interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0
    if arguments[0] == "--version":
        print(f"kineme {__version__}")
        return 0
    command, *rest = arguments
    try:
        if command not in COMMANDS:
            import difflib

            close = difflib.get_close_matches(command, COMMANDS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(COMMANDS)}"
            raise KinemeError(f"no command is called {command!r}; {hint}")
        from kineme.commands import run

        run(command, rest)
    except KinemeError as error:
        print(f"kineme {command}: error: {error}", file=sys.stderr)
        return USAGE_ERROR
    except OSError as error:
        if error.errno == errno.ENOSPC:
            print(f"kineme {command}: error: {error.filename or 'output'}: the disk is full; free some space",
                  file=sys.stderr)  # fmt: skip
            return USAGE_ERROR
        raise
    except KeyboardInterrupt:
        print(f"\nkineme {command}: interrupted; finished outputs are kept", file=sys.stderr)
        return INTERRUPTED
    return 0


def overview() -> str:
    """What `kineme --help` prints."""
    lines = [
        "usage: kineme COMMAND [ARGUMENTS]",
        "",
        "Self-supervised learning of human motion from skeletons.",
        "",
        "commands:",
        *(f"  {name:10} {summary}" for name, summary in COMMANDS.items()),
        "",
        "`kineme COMMAND --help` tells all of one command. To begin with: kineme demo",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
