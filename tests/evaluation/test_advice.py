"""The command that measures a run: a protocol that its clips allow, and no option more than it takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Settings
from kineme.clips.store import ClipStore
from kineme.evaluation.advice import measuring_command

RUN = Path("runs/joint")


def test_the_first_protocol_is_the_linear_one_where_the_recipe_has_a_rate_for_it(settings: Settings) -> None:
    store = ClipStore(settings.store)
    config = settings(data_split="odd-even")
    assert measuring_command(config, RUN, store) == "kineme evaluate knn runs/joint"
    config.evaluate.linear.lr = 0.1
    assert measuring_command(config, RUN, store) == "kineme evaluate linear runs/joint"


def test_a_run_on_all_clips_is_measured_on_their_usual_split(settings: Settings) -> None:
    found = measuring_command(settings(data_split="all"), RUN, ClipStore(settings.store))
    assert found == "kineme evaluate knn runs/joint --split odd-even"


@pytest.mark.parametrize("split", ["odd-even", "all"])
def test_clips_without_labels_cannot_tell(settings: Settings, unlabelled_moves: Path, split: str) -> None:
    config = settings(data_store=str(unlabelled_moves), data_split=split)
    assert measuring_command(config, RUN, ClipStore(unlabelled_moves)) == ""
