"""Shares a run on the hub: what leaves this machine, and the card that says what it is.

Shared are the encoder, the settings, taught classifiers and results. Training clips stay here, and so do
names of people and clips, and paths of this machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined

from kineme import __version__
from kineme.checkpoints import WEIGHTS, save_encoder
from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.errors import KinemeError
from kineme.evaluation.results import Result, Score
from kineme.hub import check_repository, upload
from kineme.inference.classifier import FOLDER, SUFFIX, Classifier, read_classifier
from kineme.model import Model, check_loadable, load_run
from kineme.sources import SOURCES
from kineme.training.directory import write_config

CARD = "README.md"
LICENCES = (  # as the hub spells them; others are written as `other`, with their name
    "apache-2.0 mit bsd-3-clause gpl-3.0 cc0-1.0 cc-by-4.0 cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nd-4.0 "
    "cc-by-nc-sa-4.0 cc-by-nc-nd-4.0 odbl odc-by pddl other unknown"
).split()


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


def without_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration without places of this machine, and without people named in its split."""
    data = {**config["data"], "store": None, "split": without_people(config["data"]["split"])}
    found: dict[str, Any] = _placeless({**config, "data": data})
    return found


def without_people(split: str) -> str:
    """`subjects:anna,ben` → `subjects: 2 people`.

    >>> without_people("subjects:anna,ben"), without_people("xsub")
    ('subjects: 2 people', 'xsub')
    """
    kind, colon, listed = split.partition(":")
    return f"{kind}: {len(listed.split(','))} people" if colon else split


def read_results(run: Path) -> list[Result]:
    """The results of a run that belong to its present weights; what is not a result is passed over."""
    found = []
    for path in sorted((run / "results").glob("*.json")):
        with suppress(KinemeError):
            found.append(Result.from_json(path))
    return found


def _gather(run: Path, model: Model, folder: Path, repository: str, licence: str) -> str:
    """Writes what is shared into a folder; returns the card."""
    config = without_paths(model.config)
    save_encoder(folder / WEIGHTS, model.encoder, model.preprocessing, config, model.epochs, model.units)
    write_config(folder, config)
    classifiers = {}
    for path in sorted((run / FOLDER).glob(f"*{SUFFIX}")) if run.is_dir() else ():
        classifiers[path.stem] = read_classifier(path, model)
        classifiers[path.stem].save(folder / FOLDER / path.name)
    results = [each for each in read_results(run) if each.weights == model.weights]
    for number, result in enumerate(results, start=1):
        shared = replace(
            result,
            store=_data_set(result.store),
            split=without_people(result.split),
            settings=_placeless(dict(result.settings)),
        )
        target = folder / "results" / f"{number:02}-{re.sub(r'[^a-z]+', '-', result.protocol)}.json"
        target.parent.mkdir(exist_ok=True)
        target.write_text(shared.to_json(), encoding="utf-8")
    card = _card(run, model, repository, licence, classifiers, results)
    (folder / CARD).write_text(card, encoding="utf-8")
    return card


def _card(
    run: Path,
    model: Model,
    repository: str,
    licence: str,
    classifiers: Mapping[str, Classifier],
    results: Sequence[Result],
) -> str:
    seen = Seen.load(run / SEEN_CLIPS) if (run / SEEN_CLIPS).is_file() else None
    environment = Environment(
        loader=PackageLoader("kineme"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["text"] = as_text
    return environment.get_template("card.md.jinja").render(
        metadata=yaml.safe_dump(
            _metadata(model, repository, licence, results), sort_keys=False, allow_unicode=True
        ),
        repository=repository,
        licence=licence,
        model=model,
        settings=without_paths(model.config),
        clips=None if seen is None else len(seen.names),
        data=seen.source if seen is not None and seen.source in [*SOURCES, "generated"] else None,
        classifiers=classifiers,
        rows=_rows(results),
        version=__version__,
    )


def _metadata(model: Model, repository: str, licence: str, results: Sequence[Result]) -> dict[str, Any]:
    """The front matter that the hub reads."""
    known = licence.lower() in LICENCES
    about: dict[str, Any] = {"license": licence.lower() if known else "other"}
    if not known:
        about["license_name"] = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-")
    about |= {
        "library_name": "kineme",
        "pipeline_tag": "feature-extraction",
        "tags": [
            *("kineme", "skeleton", "human-motion", "self-supervised-learning"),
            *(model.method, model.config["encoder"]["name"], model.shape.layout.name),
        ],
    }
    if results:
        entries = [
            {
                "task": {"type": "skeleton-based-action-recognition", "name": result.protocol},
                "dataset": {
                    "type": _data_set(result.store),
                    "name": f"{_data_set(result.store)}, {without_people(result.split)}",
                },
                "metrics": [
                    {"type": "accuracy", "name": name, "value": round(score.value, 2)}
                    for name, score in result.scores.items()
                ],
            }
            for result in results
        ]
        about["model-index"] = [{"name": repository.partition("/")[2], "results": entries}]
    return about


def _rows(results: Sequence[Result]) -> list[dict[str, Any]]:
    """A row per figure, for the card's table."""
    return [
        {
            "protocol": result.protocol,
            "data": _data_set(result.store),
            "split": without_people(result.split),
            "probe": name,
            "value": f"{score.value:.1f}",
            "spread": _spread(score),
            "clips": result.test_clips,
        }
        for result in results
        for name, score in result.scores.items()
    ]


def _spread(score: Score) -> str:
    if score.interval is not None:
        return f"{score.interval[0]:.1f} to {score.interval[1]:.1f}"
    return "" if score.deviation is None else f"± {score.deviation:.1f}"


def _data_set(store: str) -> str:
    """The name of a store without its place."""
    return PurePath(store.replace("\\", "/")).name


def _placeless(value: Any) -> Any:
    """Settings in which of every path only the last name is left."""
    if isinstance(value, Mapping):
        return {key: _placeless(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_placeless(each) for each in value]
    return _data_set(value) if isinstance(value, str) else value


def as_text(value: object) -> str:
    """Text in Markdown, without markup."""
    return re.sub(r"([\\`*_{}\[\]<>|#&!~])", r"\\\1", " ".join(str(value).split()))
