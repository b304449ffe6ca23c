"""`kineme push`: a run → the Hugging Face Hub."""

from __future__ import annotations

import sys
from pathlib import Path

from kineme.commands.paths import check_models
from kineme.commands.said import say
from kineme.errors import KinemeError
from kineme.hub import check_repository


def push(
    run: Path,
    repository: str,
    *,
    licence: str | None = None,
    private: bool = False,
    dry_run: bool = False,
) -> None:
    """Share a run on the Hugging Face Hub, so that `kineme.load("hf:user/name")` can load it.

    It uploads the encoder, the settings, the results, the classifiers taught on it, and a card made from
    them. Training clips stay here, as do names of people and clips, and paths on this machine. Log in with
    `hf auth login` first, or set HF_TOKEN.

      kineme push runs/mine anna/walking --licence cc-by-4.0 --dry-run

    Args:
        run: Run directory.
        repository: Its address on the hub, user/name; it is created if it does not exist.
        licence: Licence of the training data, such as cc-by-4.0, which binds those who use the weights. You
            are asked for it if you leave it out.
        private: Make it visible only to you and your organisation.
        dry_run: Upload nothing; show the files and the card.
    """
    check_repository(repository)
    check_models(run)
    if licence is None:
        if not sys.stdin.isatty():
            raise KinemeError("`licence`: is missing; name that of the training data, such as cc-by-4.0")
        licence = input("Licence of the training data, such as cc-by-4.0: ")
    from kineme.sharing import push as share

    shared = share(run, repository, licence=licence, private=private, dry_run=dry_run)
    if dry_run:
        for name, size in shared.files.items():
            print(f"{size:12,} {name}")
        print(f"\n{shared.card}", end="")
        say(f"nothing was uploaded to {repository}")
    else:
        say(f'{shared.url}; next: kineme.load("hf:{repository}")')
