"""Commands: typed functions, one file each. Their docstrings are their help."""

from __future__ import annotations

import inspect
import json
import re
from argparse import SUPPRESS, Action
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from kineme.arguments import did_you_mean, explain
from kineme.errors import KinemeError

Function = Callable[..., None]
HELP = ("-h", "--help")
TRUTH = ("true", "false")


def run(command: str, arguments: Sequence[str]) -> None:
    """Imports a command's file and runs it.

    A file holds a function of its own name, or several in `COMMANDS` (as `evaluate` does), or a `main` that
    takes the words as they are (as `pretrain` does, whose keys depend on the recipe).

    Raises:
        KinemeError: a word is unknown, missing or of another type.
    """
    module = import_module(f"kineme.commands.{command}")
    if hasattr(module, "main"):
        module.main(list(arguments))
        return
    functions: Mapping[str, Function] = getattr(module, "COMMANDS", {})
    if not functions:
        call(getattr(module, command), f"kineme {command}", arguments)
        return
    chosen = next(iter(arguments), "")
    if chosen in HELP:
        print(_overview(command, module.__doc__ or "", functions))
    elif chosen in functions:
        call(functions[chosen], f"kineme {command} {chosen}", arguments[1:])
    else:
        hint = did_you_mean(chosen, functions) or f"; there are {', '.join(functions)}"
        raise KinemeError(f"no protocol is called {chosen!r}{hint}" if chosen else f"name a protocol{hint}")


def call(function: Function, program: str, words: Sequence[str]) -> None:
    """Calls a function with its arguments as spelt on the command line.

    Raises:
        KinemeError: a word is unknown, missing or of another type.
    """
    parser = _parser(function, program)
    words = list(spelt_out(function, words))
    for word in words:
        option = word.partition("=")[0]
        if option.startswith("--") and option not in parser._option_string_actions:
            near = did_you_mean(option, parser._option_string_actions) or f"; see {program} --help"
            raise KinemeError(f"unknown option {option}{near}")
    positional = [action.dest for action in parser._actions if not action.option_strings]
    try:
        settings = parser.parse_args(words)
    except Exception as error:  # jsonargparse raises several kinds, all of them the user's
        reason = explain(error, lambda name: name.upper() if name in positional else _option(name))
        if missing := [
            name for name in positional if re.search(rf'required.*\b{name}\b|"{name}" is req', reason)
        ]:
            reason = f"missing: {' '.join(name.upper() for name in missing)}"
        elif extra := re.search(r"unrecognized arguments: (.*)", reason):
            reason = f"there is nothing that {extra[1]!r} could be"
        raise KinemeError(f"{reason}; see {program} --help") from error
    function(**settings.as_dict())


def spelt_out(function: Function, words: Sequence[str]) -> Iterator[str]:
    """Words as people write them → options with one value each.

    A lone switch means yes: `--overwrite` becomes `--overwrite=true`. What follows a list's option, up to the
    next one, is its list: `--actions wave "sit down"` becomes `--actions=["wave", "sit down"]`, and so does
    `--actions wave --actions "sit down"`. Where a list goes without an option, as the runs of
    `kineme report`, it is of all words that belong to none.
    """
    parameters = inspect.signature(function, eval_str=True).parameters
    kinds = {_option(name): parameter.annotation for name, parameter in parameters.items()}
    gathers = any(map(_is_bare_list, parameters.values()))
    gathered: list[str] = []
    lists: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if kinds.get(option) is bool and not equals and (not rest or rest[0].lower() not in TRUTH):
            yield f"{option}=true"
        elif _entry_of(kinds.get(option)) is not None:
            values = [value] if equals else []
            while not equals and rest and not rest[0].startswith("--"):
                values.append(rest.pop(0))
            if not values:
                raise KinemeError(f"{option} needs a value")
            lists.setdefault(option, []).extend(values)
        elif gathers and not word.startswith("-"):
            gathered.append(word)
        else:
            yield word
            if option in kinds and not equals and rest:
                yield rest.pop(0)
    for option, values in lists.items():
        yield f"{option}={_listed(values, quoted=_entry_of(kinds[option]) is str)}"
    if gathered:
        yield _listed(gathered, quoted=True)


def _is_bare_list(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is a list that is given without an option."""
    return parameter.kind is not parameter.KEYWORD_ONLY and _entry_of(parameter.annotation) is not None


def _entry_of(kind: Any) -> Any:
    """The type of a list's entries, also where the list may be None; None for what is no list."""
    if get_origin(kind) in (Union, UnionType):
        return next(filter(None, map(_entry_of, get_args(kind))), None)
    return get_args(kind)[0] if get_origin(kind) in (list, tuple, Sequence) else None


def _choices_of(kind: Any) -> tuple[str, ...]:
    """What a choice that may be None is of."""
    return next((get_args(each) for each in get_args(kind) if get_origin(each) is Literal), ())


def _listed(values: Sequence[str], quoted: bool) -> str:
    if len(values) == 1 and values[0].startswith("["):
        return values[0]
    plain = [
        value if not quoted and re.fullmatch(r"[-+.\w]+", value) else json.dumps(value, ensure_ascii=False)
        for value in values
    ]
    return f"[{', '.join(plain)}]"


def _option(name: str) -> str:
    return f"--{_hyphened(name)}"


def _hyphened(name: str) -> str:
    return name.replace("_", "-")


class _Help(DefaultHelpFormatter):
    """Help for people: paragraphs stay apart, a switch shows no value, and only what says something is shown.

    The library's own tells the type and the default of everything, `null` too.
    """

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = super()._fill_text
        return "\n\n".join(fill(paragraph, width, indent) for paragraph in text.split("\n\n"))

    def _format_args(self, action: Action, default_metavar: str) -> str:
        if getattr(action, "_typehint", None) is bool and not action.default:
            return ""
        return super()._format_args(action, default_metavar)

    def _get_help_string(self, action: Action) -> str:
        text = action.help or ""
        silent = any(action.default is nothing for nothing in (None, False, SUPPRESS))
        if silent or not action.option_strings or "default" in text.lower():
            return text
        default = str(action.default).lower() if isinstance(action.default, bool) else action.default
        return f"{text} (default: {default})"


def _parser(function: Function, program: str) -> ArgumentParser:
    """Arguments from the function's signature and docstring, options spelt with hyphens."""
    parser = ArgumentParser(
        prog=program,
        description=_description(function),
        default_env=False,
        exit_on_error=False,
        formatter_class=_Help,
    )
    parser.add_function_arguments(function, as_group=False, as_positional=True)
    for action in parser._actions:
        for option in action.option_strings:
            known = parser._option_string_actions
            known[_hyphened(option)] = known.pop(option)
        action.option_strings = [_hyphened(option) for option in action.option_strings]
        if action.option_strings and action.metavar is None:
            choices = _choices_of(getattr(action, "_typehint", None))
            action.metavar = f"{{{','.join(choices)}}}" if choices else _hyphened(action.dest).upper()
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if _is_bare_list(parameter):
            next(each for each in parser._actions if each.dest == name).metavar = f"{name.upper()} ..."
    return parser


def _overview(command: str, description: str, functions: Mapping[str, Function]) -> str:
    summaries = {name: _description(function).splitlines()[0] for name, function in functions.items()}
    lines = [
        f"usage: kineme {command} PROTOCOL ...",
        "",
        description.strip(),
        "",
        "protocols:",
        *(f"  {name:10} {summary}" for name, summary in summaries.items()),
        "",
        f"`kineme {command} PROTOCOL --help` tells all of one.",
    ]
    return "\n".join(lines)


def _description(function: Function) -> str:
    """The docstring up to its sections."""
    return inspect.cleandoc(function.__doc__ or "").partition("\n\nArgs:")[0].partition("\n\nRaises:")[0]
