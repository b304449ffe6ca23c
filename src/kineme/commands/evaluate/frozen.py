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

    Reports two probes: the published protocol of the run's recipe (SGD; last and best epoch, the best being
    chosen on the test clips) and a logistic regression on standardised features. Writes
    RUN/results/linear.json; a different store, split or seed is added to the file name.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of the probe and of the random encoder.
        lr: Learning rate of the SGD probe, instead of the recipe's.
        baselines: Also measure a random encoder and raw coordinates.
    """
    task = open_run(run, options, "linear", seed=seed)
    from kineme.evaluation import recognition

    with progress_bar("evaluating") as progress:
        result, predicted = recognition.linear(task, seed=seed, lr=lr, baselines=baselines, progress=progress)
    keep(task, result, {".npz": predicted})


def knn(run: Path, *, k: int = 1, seed: int = 0, baselines: bool = True, options: Options = USUAL) -> None:
    """Retrieval: a test clip gets the label of its nearest training clips, by cosine similarity.

    Also reports how the training clips of its class rank: recall@k, the share of test clips with one of them
    among the k nearest, and mAP, the mean average precision. Writes RUN/results/knn.json; a different store,
    split, k or seed is added to the file name.

    Args:
        run: Run directory, or its model.safetensors.
        k: Number of neighbours that vote.
        seed: Seed of the random encoder.
        baselines: Also measure a random encoder and raw coordinates.
    """
    named = [f"k{k}"] if k != 1 else []
    task = open_run(run, options, "knn", *named, seed=seed)
    from kineme.evaluation import recognition

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
    """Transfer: linear evaluation and retrieval on a data set other than that of pre-training.

    Linear probes and nearest neighbours are fitted to the training part of the other store and measured on
    its test part. Writes RUN/results/transfer-STORE.json; a different split or seed is added to the file
    name. With --finetune it also runs `kineme evaluate finetune` and writes its result.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of the probe and of the random encoder.
        lr: Learning rate of the SGD probe, instead of the recipe's.
        finetune: Also fine-tune on the other store, as a third measure.
        baselines: Also measure a random encoder and raw coordinates.
    """
    if options.store is None:
        raise KinemeError("transfer needs another data set than that of pre-training; pass `store`")
    task = open_run(run, options, "transfer", seed=seed)
    from kineme.evaluation import recognition

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
    """Early prediction: linear evaluation of clips when only the first 10, 20, ... 100 % is seen.

    The encoder is frozen and the same for all shares; each share has a linear probe, trained by SGD as in the
    run's recipe. Writes RUN/results/early.json with the accuracy at each share and their mean; a different
    store, split or seed is added to the file name.

    Args:
        run: Run directory, or its model.safetensors.
        whole: Fit a single probe, to whole training clips; by default each probe is fitted to clips cut to
            the same share.
        seed: Seed of the probes and of the random encoder.
        lr: Learning rate of the probes, instead of the recipe's.
        baselines: Also measure a random encoder and raw coordinates.
    """
    named = ["whole"] if whole else []
    task = open_run(run, options, "early", *named, seed=seed)
    from kineme.evaluation import early as prediction

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
    """Few-shot recognition: a test clip gets the class of its nearest exemplar; nothing is trained.

    Exemplars are drawn from the training part several times, and the mean and standard deviation are
    reported. With --split oneshot, on NTU RGB+D 120, they are the twenty of its one-shot protocol. Writes
    RUN/results/fewshot.json; a different store, split, number of shots or seed is added to the file name.

    Args:
        run: Run directory, or its model.safetensors.
        shots: Exemplars per class.
        draws: Number of times they are drawn.
        seed: Seed of the first draw and of the random encoder.
        baselines: Also measure a random encoder and raw coordinates.
    """
    named = [f"{shots}shots"] if shots != 1 else []
    task = open_run(run, options, "fewshot", *named, seed=seed)
    from kineme.evaluation import fewshot as few

    with progress_bar("evaluating") as progress:
        result, predicted = few.fewshot(
            task, shots=shots, draws=draws, seed=seed, baselines=baselines, progress=progress
        )
    keep(task, result, {".npz": predicted}, *named)


def robust(run: Path, *, seed: int = 0, baselines: bool = True, options: Options = USUAL) -> None:
    """Robustness: probes trained on clean clips, tested on clips that a worse sensor might have recorded.

    Test clips lose joints, frames or half of the body, or are noisy, slower, faster or turned; each condition
    is reported with its severity, alongside the figure for clean clips. Clips are perturbed after their
    preprocessing. Writes RUN/results/robust.json; a different store, split or seed is added to the file name.

    Args:
        run: Run directory, or its model.safetensors.
        seed: Seed of the perturbations and of the random encoder.
        baselines: Also measure a random encoder and raw coordinates.
    """
    task = open_run(run, options, "robust", seed=seed)
    from kineme.evaluation import robust as sensors

    with progress_bar("evaluating") as progress:
        result, predicted = sensors.robust(task, seed=seed, baselines=baselines, progress=progress)
    keep(task, result, {".npz": predicted})
