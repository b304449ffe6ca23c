"""Uploads a run: the files that are shared, and their card."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from kineme import __version__
from kineme.checkpoints import save_encoder
from kineme.errors import KinemeError
from kineme.evaluation.results import Result
from kineme.files import entries
from kineme.hub import check_repository, upload
from kineme.inference.classifying.classifier import Classifier, read_classifier
from kineme.inference.classifying.paths import FOLDER, SUFFIX
from kineme.loading import check_loadable, load_run
from kineme.model import Model
from kineme.runs import WEIGHTS
from kineme.sharing.card import write_card
from kineme.sharing.private import data_set, placeless, without_paths, without_people
from kineme.training.directory import write_config

logger = logging.getLogger(__name__)

CARD = "README.md"


@dataclass(frozen=True)
class Shared:
    """What `push` has uploaded, or would upload.

    Attributes:
        url: of the model in a browser; empty if nothing was uploaded.
        files: name → bytes, in the order of names.
        card: the text of README.md.

    >>> Shared("", {"README.md": 120}, "---").files
    {'README.md': 120}
    """

    url: str
    files: Mapping[str, int]
    card: str


def push(
    run: str | Path,
    repository: str,
    *,
    licence: str,
    private: bool = False,
    dry_run: bool = False,
) -> Shared:
    """Uploads a run to the Hugging Face Hub, from where `kineme.load("hf:user/name")` loads it.

    Args:
        run: its directory.
        repository: user/name; it is made if there is none.
        licence: of the training data, which binds those who use the weights, such as `cc-by-4.0`.
        private: only you and your organisation see it. (Of a repository that exists, nothing changes.)
        dry_run: upload nothing; tell what would be uploaded.

    Raises:
        KinemeError: `run` is no run; its encoder or preprocessing is not installed with Kineme, so that
            nobody else could load it; or the upload fails, see `kineme.hub.upload`.

    >>> shared = push(example_run, "user/name", licence="cc-by-4.0", dry_run=True)
    >>> list(shared.files)
    ['README.md', 'config.yaml', 'model.safetensors']
    """
    run = Path(run)
    check_repository(repository)
    if not licence.strip():
        raise KinemeError("`licence`: is empty; name the licence of the training data, such as cc-by-4.0")
    model = load_run(run)
    check_loadable(model.config, model.preprocessing.name)
    with TemporaryDirectory(prefix="kineme-") as place:
        folder = Path(place)
        card = _gather(run, model, folder, repository, " ".join(licence.split()))
        files = {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        url = ""
        if not dry_run:
            url = upload(folder, repository, private=private, message=f"Upload by Kineme {__version__}")
    return Shared(url, files, card)


def _gather(run: Path, model: Model, folder: Path, repository: str, licence: str) -> str:
    """Writes what is shared into a folder; returns the card."""
    config = without_paths(model.config)
    save_encoder(folder / WEIGHTS, model.encoder, model.preprocessing, config, model.epochs, model.units)
    write_config(folder, config)
    classifiers = _classifiers(run, model)
    for name, classifier in classifiers.items():
        classifier.save(folder / FOLDER / f"{name}{SUFFIX}")
    results = _results(run, model)
    for number, result in enumerate(results, start=1):
        target = folder / "results" / f"{number:02}-{re.sub(r'[^a-z]+', '-', result.protocol)}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(result.to_json(), encoding="utf-8")
    card = write_card(run, model, repository, licence, classifiers, results)
    (folder / CARD).write_text(card, encoding="utf-8")
    return card


def _classifiers(run: Path, model: Model) -> dict[str, Classifier]:
    """Those of a run by name, without those that were taught on earlier weights."""
    found = {}
    for path in entries(run / FOLDER, f"*{SUFFIX}"):
        try:
            found[path.stem] = read_classifier(path, model)
        except KinemeError as error:
            logger.warning("not shared: %s", error)
    return found


def _results(run: Path, model: Model) -> list[Result]:
    """Those of a run's present weights, without places and people. What is not a result is passed over."""
    found = []
    for path in entries(run / "results", "*.json"):
        with suppress(KinemeError):
            found.append(Result.from_json(path))
    return [
        replace(
            each,
            store=data_set(each.store),
            split=without_people(each.split),
            settings=placeless(dict(each.settings)),
        )
        for each in found
        if each.weights == model.weights
    ]
