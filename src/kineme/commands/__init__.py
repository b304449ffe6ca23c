"""Commands: typed functions, one file each. Signatures are their options, docstrings their help."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, get_args

import cyclopts
from cyclopts import App, Argument, Group, Parameter
from cyclopts.help import HelpEntry, HelpPanel, InlineText
from rich.console import Console, ConsoleOptions

from kineme.arguments import KINDS, did_you_mean
from kineme.commands.messages import translated
from kineme.commands.outputs import releasing
from kineme.errors import KinemeError

WIDEST, INDENT = 100, 30  # columns of help, and before the descriptions of options
NARROW, LITTLE = 60, 8  # columns below which descriptions begin on a line of their own, and before them then


def run(command: str, words: Sequence[str]) -> None:
    """Imports a command's file and calls its function with the arguments on the command line.

    Raises:
        KinemeError: an argument is unknown, missing or of another type, or the command fails by a user's
            mistake. Parameters that its message names are spelt as on the command line.
    """
    words = [_from_home(word) for word in words]
    app = application(command, words)
    try:
        function, bound, _ = app.parse_args(words)
    except cyclopts.CycloptsError as error:
        program = " ".join((*app.name, *(error.command_chain or ())))
        complaint = _complaint(error, program)
        hint = "" if complaint.endswith("?") else f"; see {program} --help"
        raise KinemeError(complaint + hint) from error

    with (
        releasing(),
        translated(lambda: {each.field_info.name: _spelling(each) for each in _arguments(function)}),
    ):
        function(*bound.args, **bound.kwargs)


def application(command: str, words: Sequence[str] = ()) -> App:
    """The parser of one command.

    Its file holds a function of the command's name, or several in `COMMANDS`, as `evaluate` does. A function
    `hidden` there says which parameters the help leaves out, given the `words` on the command line.
    """
    module = import_module(f"kineme.commands.{command}")
    hidden = module.hidden(words) if hasattr(module, "hidden") else frozenset()
    app = App(
        name=f"kineme {command}",
        usage=getattr(module, "USAGE", None),
        default_parameter=Parameter(consume_multiple=(1, None), negative_iterable=()),
        group_commands=Group("protocols"),
        help_format="plaintext",
        help_formatter=_Help(hidden),
        version_flags=(),
        print_error=False,
        exit_on_error=False,
    )
    app["--help"].show = False
    functions: Mapping[str, Callable[..., None]] = getattr(module, "COMMANDS", {})
    for place, (name, function) in enumerate(functions.items()):
        app.command(function, name=name, sort_key=place)
    if functions:
        app.help, app.usage = module.__doc__ or "", f"kineme {command} PROTOCOL [OPTIONS] ..."
    else:
        app.default(getattr(module, command))
    return app


def _from_home(word: str) -> str:
    """`--out=~/x.csv`, in which most shells leave the `~`, and `~/x.csv`, which Windows leaves too."""
    option, equals, value = word.partition("=")
    if equals and option.startswith("--") and value.startswith("~/"):
        return f"{option}={os.path.expanduser(value)}"
    return os.path.expanduser(word) if word.startswith(("~/", "~\\")) else word


def _arguments(function: Callable[..., Any]) -> Iterable[Argument]:
    return App(default_command=function).assemble_argument_collection()


def _spelling(argument: Argument) -> str:
    """How users write an argument: `RUN`, `--map-joints`."""
    return argument.name.lstrip("-").upper() if argument.index is not None else argument.name


def _complaint(error: cyclopts.CycloptsError, program: str) -> str:
    """A mistake on the command line in one line: what was given, and what it must be."""
    name = _spelling(error.argument) if error.argument else ""
    match error:
        case cyclopts.UnknownOptionError(token=token):
            word = token.keyword or token.value
            return f"unknown option {word}{_near(word, error.argument_collection)}"
        case cyclopts.UnknownCommandError(unused_tokens=[word, *_], app=App() as app):
            known = [name for name in app if not name.startswith("-")]
            near = did_you_mean(word, known) or f"; choose from {', '.join(known)}"
            return f"unknown protocol {word!r}{near}"
        case cyclopts.UnusedCliTokensError(unused_tokens=[word, *_]):
            return f"unexpected argument {word!r}"
        case cyclopts.RepeatArgumentError(token=token):
            return f"{token.keyword} is given twice"
        case cyclopts.MissingArgumentError(keyword=option):
            return f"{option} needs a value" if option else f"missing: {name}{_as_in(error.target, program)}"
        case cyclopts.CoercionError(token=token, target_type=kind) if token and kind:
            choices = get_args(kind)
            wanted = f"one of {', '.join(choices)}" if choices else KINDS.get(kind.__name__, kind.__name__)
            near = did_you_mean(token.value, choices)
            return f"{token.keyword or name} is {token.value}; it must be {wanted}{near}"
    return str(error).rstrip(".")


def _as_in(function: Callable[..., Any] | None, program: str) -> str:
    """All that a command cannot do without, in their order, where that is more than one."""
    arguments = [each for each in _arguments(function) if each.required] if function else []
    needed = [_spelling(each) + ("" if each.index is not None else " ...") for each in arguments]
    return f", as in `{program} {' '.join(needed)}`" if len(needed) > 1 else ""


def _near(word: str, arguments: Iterable[Argument]) -> str:
    """A hint at the nearest option; what all of them begin with makes none of them near."""
    shared = "--no-" if word.startswith("--no-") else "--"
    names = [name for each in arguments for name in each.names if name.startswith(shared)]
    hint = did_you_mean(word.removeprefix(shared), [name.removeprefix(shared) for name in names])
    return hint.replace("mean ", f"mean {shared}", 1)


class _Help:
    """Help as plain text: no boxes, and only defaults that say something."""

    def __init__(self, hidden: Collection[str] = ()) -> None:
        self._hidden = {f"--{name.replace('_', '-')}" for name in hidden}

    def render_usage(self, console: Console, options: ConsoleOptions, usage: object) -> None:
        print(f"usage: {usage}".rstrip(), end="\n\n")

    def render_description(self, console: Console, options: ConsoleOptions, description: object) -> None:
        if isinstance(description, InlineText):
            for paragraph in str(description.primary_renderable).rstrip().split("\n\n"):
                example = paragraph.startswith(" ")
                print(paragraph if example else _filled(paragraph, console), end="\n\n")

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        if panel.format == "command" and panel.entries:
            print(f"{panel.title}:")
        for entry in panel.entries:
            if self._hidden.intersection(entry.names):
                continue
            indent = INDENT if console.width >= NARROW else LITTLE
            label, text = f"  {_label(entry)}", _filled(_described(entry), console, indent)
            print(f"{label}\n{text}" if len(label) > indent - 2 else label + text[len(label) :])


def _filled(text: str, console: Console, indent: int = 0) -> str:
    blank = " " * indent
    return textwrap.fill(text, min(console.width, WIDEST), initial_indent=blank, subsequent_indent=blank)


def _label(entry: HelpEntry) -> str:
    """`RUN`, `RUNS ...`, `--seed INT`, `--device {auto,cpu,cuda}`, `--overwrite`, `--probe/--no-probe`."""
    if entry.positional_label:
        return entry.positional_label + " ..." * str(entry.metavar).endswith("...")
    names = entry.positive_names if entry.default == "False" else entry.names
    value = f"{{{','.join(entry.choices)}}}" if entry.choices else entry.metavar
    return " ".join(filter(None, ("/".join(names), value)))


def _described(entry: HelpEntry) -> str:
    text = str(entry.description.primary_renderable)
    if entry.default in (None, "False") or "default" in text.lower():
        return text
    return f"{text} (default: {'on' if entry.default == 'True' else entry.default})"
