"""Protocols that measure a frozen encoder by its clip features."""

from __future__ import annotations

from pathlib import Path

from kineme.commands.bar import progress_bar
from kineme.commands.evaluate.shared import Options, keep, occupy, open_run, tune
from kineme.errors import KinemeError
from kineme.evaluation.options import USUAL


def linear(
    run: Path, *, seed: int = 0, lr: float | None = None, baselines: bool = True, options: Options = USUAL
) -> None:
    """Linear evaluation: one linear layer on the frozen encoder.

    Reports two probes: the published protocol of the run's recipe (SGD; last and best epoch, of which the
    best is chosen on the test clips) and a logistic regression on standardised features. Writes
    RUN/results/linear.json; another store, split or seed is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of the probe and of the random encoder.
        lr: Learning rate of the SGD probe, instead of the recipe's.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import recognition

    task = open_run(run, options, "linear", seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = recognition.linear(task, seed=seed, lr=lr, baselines=baselines, progress=progress)
    keep(task, result, {".npz": predicted})


def knn(run: Path, *, k: int = 1, seed: int = 0, baselines: bool = True, options: Options = USUAL) -> None:
    """Retrieval: a test clip takes the label of its nearest training clips, by cosine similarity.

    Also how the training clips of its class rank: recall@k, the share of test clips with one among the k
    nearest, and mAP, the mean average precision. Writes RUN/results/knn.json; another store, split, k or seed
    is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        k: Number of neighbours that vote.
        seed: Seed of the random encoder.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import recognition

    named = [f"k{k}"] if k != 1 else []
    task = open_run(run, options, "knn", *named, seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = recognition.knn(task, k=k, seed=seed, baselines=baselines, progress=progress)
    keep(task, result, {".npz": predicted}, *named)


def transfer(
    run: Path,
    *,
    seed: int = 0,
    lr: float | None = None,
    finetune: bool = False,
    baselines: bool = True,
    options: Options = USUAL,
) -> None:
    """Transfer: linear evaluation and retrieval on another data set than that of the pre-training.

    Linear probes and nearest neighbours are fitted to the training part of the other store and measured on
    its test part. Writes RUN/results/transfer-STORE.json; another split or seed is appended to the name. With
    --finetune it also does, and writes, what `kineme evaluate finetune` does.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of the probe and of the random encoder.
        lr: Learning rate of the SGD probe, instead of the recipe's.
        finetune: Fine-tune on the other store too, as a third measure.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import recognition

    if options.store is None:
        raise KinemeError("transfer is to another data set than that of the pre-training; pass `store`")
    task = open_run(run, options, "transfer", seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = recognition.transfer(
            task, seed=seed, lr=lr, baselines=baselines, progress=progress
        )
    keep(task, result, {".npz": predicted})
    if finetune:
        occupy(task, "finetune", seed=seed)
        tune(task, from_scratch=baselines, seed=seed)


def early(
    run: Path,
    *,
    whole: bool = False,
    seed: int = 0,
    lr: float | None = None,
    baselines: bool = True,
    options: Options = USUAL,
) -> None:
    """Early prediction: linear evaluation of clips of which only the first 10, 20, ... 100 % is seen.

    The encoder is frozen and the same for all shares; each has a linear probe, trained by SGD as the run's
    recipe says. Writes RUN/results/early.json with the accuracy at each share and their mean; another store,
    split or seed is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        whole: Fit one probe, to whole training clips; by default each is fitted to clips that are cut alike.
        seed: Seed of the probes and of the random encoder.
        lr: Learning rate of the probes, instead of the recipe's.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import early as prediction

    named = ["whole"] if whole else []
    task = open_run(run, options, "early", *named, seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = prediction.early(
            task, whole=whole, seed=seed, lr=lr, baselines=baselines, progress=progress
        )
    keep(task, result, {".npz": predicted}, *named)


def fewshot(
    run: Path,
    *,
    shots: int = 1,
    draws: int = 20,
    seed: int = 0,
    baselines: bool = True,
    options: Options = USUAL,
) -> None:
    """Few-shot recognition: a test clip takes the class of its nearest exemplar; nothing is trained.

    Exemplars are drawn from the training part, several times; reported are mean and standard deviation. With
    --split oneshot, on NTU RGB+D 120, they are the twenty of its one-shot protocol. Writes
    RUN/results/fewshot.json; another store, split, number of shots or seed is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        shots: Exemplars of each class.
        draws: How often they are drawn.
        seed: Seed of the first draw and of the random encoder.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import fewshot as few

    named = [f"{shots}shots"] if shots != 1 else []
    task = open_run(run, options, "fewshot", *named, seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = few.fewshot(
            task, shots=shots, draws=draws, seed=seed, baselines=baselines, progress=progress
        )
    keep(task, result, {".npz": predicted}, *named)


def robust(run: Path, *, seed: int = 0, baselines: bool = True, options: Options = USUAL) -> None:
    """Robustness: probes of clean training clips, tested on clips that a worse sensor might have given.

    Test clips lose joints, frames or half of the body, are noisy, slower, faster or turned; each with its
    severity, beside the figure of clean clips. Clips are perturbed after their preprocessing. Writes
    RUN/results/robust.json; another store, split or seed is appended to the name.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of what is drawn and of the random encoder.
        baselines: Measure a random encoder and raw coordinates beside it.
    """
    from kineme.evaluation import robust as sensors

    task = open_run(run, options, "robust", seed=seed)
    with progress_bar("evaluating") as progress:
        result, predicted = sensors.robust(task, seed=seed, baselines=baselines, progress=progress)
    keep(task, result, {".npz": predicted})
