"""Protocols that train the encoder with labels, all of them or few."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from kineme.commands.bar import progress_bar
from kineme.commands.evaluate.shared import Options, keep, open_run, tune
from kineme.errors import KinemeError
from kineme.evaluation.options import AS_IN_RECIPE, USUAL, FinetuneOptions

Training = Annotated[FinetuneOptions, Parameter(name="*")]


def finetune(
    run: Path, *, training: Training = AS_IN_RECIPE, seed: int = 0, options: Options = USUAL
) -> None:
    """Fine-tuning: encoder and linear layer trained together on all labels.

    Reports the last epoch, and the best, which is chosen on the test clips. Writes RUN/results/finetune.json;
    a different store, split or seed is added to the file name.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of everything random.
    """
    tune(open_run(run, options, "finetune", seed=seed), **asdict(training), seed=seed)


def semi(
    run: Path,
    *,
    fractions: list[float] | None = None,
    seeds: int = 3,
    frozen: bool = False,
    training: Training = AS_IN_RECIPE,
    seed: int = 0,
    options: Options = USUAL,
) -> None:
    """Semi-supervised: fine-tuning on a share of the labels.

    That share of each class's training clips, at least one, is drawn several times; the mean and standard
    deviation at the last epoch are reported. Writes RUN/results/semi.json; a different store, split or seed
    is added to the file name.

    Args:
        run: Run directory, or its model.safetensors.
        fractions: Shares of the labels; by default 0.01 0.05 0.1 0.2.
        seeds: Number of times labels, and everything else that is random, are drawn.
        frozen: Fit linear probes to the frozen encoder instead, and write semi-frozen.json.
        seed: The first of the seeds; the others follow it.
    """
    if frozen and training != replace(AS_IN_RECIPE, lr=training.lr):
        raise KinemeError("with `frozen` nothing is fine-tuned; of its options only `lr` has an effect")
    task = open_run(run, options, "semi-frozen" if frozen else "semi", seed=seed)
    from kineme.evaluation import fewlabels
    from kineme.evaluation import finetune as tuning

    draws: dict[str, Any] = {"fractions": fractions or tuning.FRACTIONS, "seeds": seeds, "seed": seed}
    with progress_bar("evaluating") as progress:
        if frozen:
            result, _ = fewlabels.frozen(task, lr=training.lr, **draws, progress=progress)
        else:
            result = tuning.semi(task, **draws, **asdict(training), progress=progress)
    keep(task, result, {})
