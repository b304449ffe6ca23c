"""Commands: typed functions, one file each. Their docstrings are their help."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any

from jsonargparse import ArgumentParser

Function = Callable[..., None]
TRUTH = ("true", "false")


def run(command: str, arguments: Sequence[str]) -> None:
    """Imports a command's file and runs it.

    A file holds a function of its own name, or several in `COMMANDS` (as `evaluate` does), or a `main` that
    takes the words as they are (as `pretrain` does, whose keys depend on the recipe).
    """
    module = import_module(f"kineme.commands.{command}")
    if hasattr(module, "main"):
        module.main(list(arguments))
        return
    functions: dict[str, Function] = getattr(module, "COMMANDS", {})
    if functions:
        parser = ArgumentParser(prog=f"kineme {command}", description=module.__doc__)
        several = parser.add_subcommands(dest="protocol", metavar="PROTOCOL")
        for name, function in functions.items():
            several.add_subcommand(name, _parser(function), help=_description(function).partition(":")[0])
        words = list(arguments)
        if words[:1] and words[0] in functions:
            words = [words[0], *spelt_out(functions[words[0]], words[1:])]
        chosen = parser.parse_args(words)
        functions[chosen.protocol](**chosen[chosen.protocol].as_dict())
    else:
        function = getattr(module, command)
        parser = _parser(function, prog=f"kineme {command}")
        function(**parser.parse_args(spelt_out(function, arguments)).as_dict())


def spelt_out(function: Function, words: Sequence[str]) -> Iterator[str] | list[str]:
    """A lone switch means yes: `--overwrite` becomes `--overwrite=true`."""
    switches = {
        f"--{name.replace('_', '-')}"
        for name, parameter in inspect.signature(function, eval_str=True).parameters.items()
        if parameter.annotation is bool
    }
    following = [*words[1:], ""]
    return [
        f"{word}=true" if word in switches and after.lower() not in TRUTH else word
        for word, after in zip(words, following, strict=True)
    ]


def _parser(function: Function, **options: Any) -> ArgumentParser:
    """Arguments from the function's signature and docstring, options spelt with hyphens."""
    parser = ArgumentParser(description=_description(function), default_env=False, **options)
    parser.add_function_arguments(function, as_group=False, as_positional=True)
    for action in parser._actions:
        for option in [each for each in action.option_strings if "_" in each]:
            hyphened = option.replace("_", "-")
            action.option_strings[action.option_strings.index(option)] = hyphened
            parser._option_string_actions[hyphened] = action
    return parser


def _description(function: Function) -> str:
    """The docstring up to its sections."""
    return inspect.cleandoc(function.__doc__ or "").partition("\n\nArgs:")[0].partition("\n\nRaises:")[0]
