"""The catalogue of actions: how many perform each, and from which situation into which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kineme.errors import KinemeError
from kineme.generate import pairs, solo


@dataclass(frozen=True)
class Action:
    """One class of the generated data."""

    name: str
    number: int  # 1-based, the A of clip names; part of every clip's seed, so it never changes
    perform: Callable[..., None]  # directs one or two performers
    bodies: int  # 1 or 2
    before: tuple[str, ...]  # situations it can start in: standing, seated; near, far
    after: str | None  # the situation it ends in; None if the same


def _catalogue() -> tuple[Action, ...]:
    anywhere = ("standing", "seated")
    performances: list[tuple[str, Callable[..., None], tuple[str, ...], str | None]] = [
        ("wave", solo.wave, anywhere, None),
        ("clap", solo.clap, anywhere, None),
        ("drink", solo.drink, anywhere, None),
        ("sit down", solo.sit_down, ("standing",), "seated"),
        ("stand up", solo.stand_up, ("seated",), "standing"),
        ("squat", solo.squat, ("standing",), None),
        ("jump up", solo.jump_up, ("standing",), None),
        ("kick", solo.kick, ("standing",), None),
        ("punch", solo.punch, ("standing",), None),
        ("throw", solo.throw, ("standing",), None),
        ("bow", solo.bow, ("standing",), None),
        ("stretch", solo.stretch, anywhere, None),
        ("walk in place", solo.walk_in_place, ("standing",), None),
        ("turn around", solo.turn_around, ("standing",), None),
        ("pick up", solo.pick_up, ("standing",), None),
        ("touch head", solo.touch_head, anywhere, None),
        ("check watch", solo.check_watch, anywhere, None),
        ("jumping jack", solo.jumping_jack, ("standing",), None),
        ("shake hands", pairs.shake_hands, ("near",), None),
        ("hug", pairs.hug, ("near",), None),
        ("push", pairs.push, ("near",), None),
        ("kick other", pairs.kick_other, ("near",), None),
        ("walk towards", pairs.walk_towards, ("far",), "near"),
        ("walk apart", pairs.walk_apart, ("near",), "far"),
    ]
    return tuple(
        Action(name, number, perform, 2 if before[0] in ("near", "far") else 1, before, after)
        for number, (name, perform, before, after) in enumerate(performances, start=1)
    )


ACTIONS = _catalogue()


def choose_actions(names: Sequence[str] | None) -> tuple[Action, ...]:
    """The actions of these names in this order; all for None.

    Raises:
        KinemeError: a name is unknown or a duplicate.
    """
    if names is None:
        return ACTIONS
    known = {action.name: action for action in ACTIONS}
    for name in names:
        if name not in known:
            raise KinemeError(f"`actions`: unknown action {name!r}; choose from {', '.join(known)}")
    if len(set(names)) != len(names) or not names:
        raise KinemeError("`actions`: name at least one, and each only once")
    return tuple(known[name] for name in names)
