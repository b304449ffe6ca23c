"""The training loop, from settings to a run directory."""

from __future__ import annotations

import gc
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint, ProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger

from kineme.checkpoints import build_encoder, build_method, check_memory
from kineme.clips.batches import even_batch, resident
from kineme.clips.collection import open_stores, parts, store_numbers, stores_of, training_rows
from kineme.clips.seen import SEEN_CLIPS, Seen
from kineme.clips.store import ClipStore
from kineme.config import Config, TrainConfig
from kineme.encoders import ENCODERS, ClipShape, Encoder
from kineme.encoders.absent import warn_if_shown
from kineme.encoders.layer import recompute
from kineme.errors import KinemeError, one_line
from kineme.files import followed
from kineme.methods import METHODS
from kineme.processes import synchronise_norms
from kineme.training.alarms import Collapse, RisingLoss
from kineme.training.callbacks import Checkpoints, Circumstances, ClipFeatures, History, OnlineKNN
from kineme.training.contract import check_encoder
from kineme.training.devices import devices_in_use, resolve_device
from kineme.training.directory import (
    LOGS,
    STATE,
    check_room,
    check_state,
    occupied,
    remove_halves,
    replacing,
    restore,
    settle,
    write_config,
)
from kineme.training.module import Pretraining, Training, clips_by_store
from kineme.training.timing import TRIAL_STEPS, Stopwatch, with_epochs
from kineme.training.together import check_started, ending_together, is_first_process, process_count
from kineme.typing import Array
from kineme.words import counted

logger = logging.getLogger(__name__)


def train(
    config: Config,
    out: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[L.Callback] = (),
    loggers: Sequence[Logger] = (),
) -> None:
    """Trains a method as configured, into the run directory `out`.

    Args:
        config: all settings.
        out: the run directory.
        resume: continue from the last checkpoint; ends with the same weights as an uninterrupted run.
        overwrite: replace an existing run, as soon as the new one has saved a checkpoint.
        callbacks: Lightning callbacks, in addition to Kineme's own.
        loggers: Lightning loggers, in addition to those of `train.loggers`.

    Raises:
        KinemeError: a setting does not fit the clips, `out` is occupied, a loss is not finite, the disk is
            full, or another process that trains with this one has ended.
    """
    out = followed(out)
    check_started(config.train)
    store = _opened(config)
    rows = training_rows(store, config.data.splits)
    device, _ = resolve_device(config.train)  # fails before anything is written, and so do the loggers
    every_logger = [*_loggers(config.train, out), *loggers]
    first = is_first_process(config.train)
    with ExitStack() as stack:
        # The program's own random numbers stay as they were; one of several processes has none but these.
        gpus = devices_in_use(device) if process_count(config.train) == 1 else []
        stack.enter_context(torch.random.fork_rng(gpus))
        if first:
            out.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(occupied(out))
            if not resume:
                restore(out)  # of a process that was killed before its first checkpoint
                check_room(out, overwrite)
            seen = Seen.of(parts(store, config.data.splits), out)
            if resume:
                check_state(out, seen)
                remove_halves(out)
                stack.callback(settle, out)
        module = _untrained(config, store, rows)
        _tell_of_too_few(config)
        _tell_what_sits_out(config, store, rows)
        if not resume:  # then config.yaml has the number of epochs
            fitting = _with_fitting_epochs(config, store, rows)
            if fitting is not config:
                config, module = fitting, _untrained(fitting, store, rows)
        if first:
            if not resume:
                stack.enter_context(replacing(out))
            write_config(out, config)
            for each in every_logger:
                each.log_hyperparams(config.to_dict())
            seen.save(out / SEEN_CLIPS)
            del seen  # names and digests weigh more than all else that training holds of a clip
        own = _callbacks(config, out, store, rows)
        with ending_together(out), _compiling(config.train):
            fit(module, [*own, *callbacks], loggers=every_logger, resume=out / STATE if resume else None)
        if first and resume:  # killed between the state of the last epoch and the weights
            own[-1].complete(module)


def check_fit(config: Config) -> None:
    """Checks what `train` would refuse of settings and clips, without training or writing anything.

    Raises:
        KinemeError: a setting does not fit the clips, the encoder or the method.
    """
    store = _opened(config)
    rows = training_rows(store, config.data.splits)
    parts_of = ENCODERS[config.encoder["name"]], METHODS[config.method["name"]]
    own = all(each.__module__.startswith("kineme.") for each in parts_of)
    with torch.random.fork_rng(devices=[]), torch.device("meta" if own else "cpu"):  # meta: in no time
        _untrained(config, store, rows)


def _opened(config: Config) -> ClipStore:
    """The clips that the settings name.

    Raises:
        KinemeError: none are named, or they are not as the settings say or need them.
    """
    if not config.data.stores:
        raise KinemeError("no clips to train on; set data.store to a clip store")
    store = open_stores(config.data.stores)
    prepared = store.manifest.preprocessing.id
    if config.data.preprocessing not in (None, prepared):
        raise KinemeError(
            f"{store.path}: was prepared by {prepared}, but data.preprocessing is "
            f"{config.data.preprocessing}; prepare it again, or set data.preprocessing={prepared}"
        )
    if config.data.window and len({each.manifest.fps for each in stores_of(store)}) > 1:
        raise KinemeError(
            f"{store.path}: differ in frames per second, so data.window would be of several durations; "
            "prepare them at one rate, or set data.window=0"
        )
    return store


@contextmanager
def _compiling(train: TrainConfig) -> Iterator[None]:
    """Raises KinemeError where the encoder cannot be compiled, as without a C++ compiler."""
    if train.compile == "off":
        yield
        return
    from torch._dynamo.exc import TorchDynamoException

    try:
        yield
    except TorchDynamoException as error:
        cause = getattr(error, "inner_exception", error)
        first = str(cause).strip().partition("\n")[0][:200]
        raise KinemeError(
            f"train.compile: the encoder cannot be compiled here ({first}); set it to off"
        ) from error


def _callbacks(
    config: Config, out: Path, store: ClipStore, rows: Array
) -> tuple[*tuple[L.Callback, ...], Checkpoints]:
    """Kineme's own. What the history records comes before it, and what reads the history after it."""
    history, features = History(out), ClipFeatures()
    every, seed = config.train.knn_every, config.train.seed
    collapse = Collapse(history, features, every, seed)
    found: list[L.Callback] = [Circumstances(), collapse, history, RisingLoss(history)]
    if (store.labels[rows] >= 0).any() and not config.data.window:  # windows have no labels
        watched = store.labels[rows], store.index["subject"][rows], store_numbers(store, rows)
        found.insert(0, OnlineKNN(history, features, *watched, every=every, seed=seed))
    return (*found, Checkpoints(out, store.manifest, config.train.save_every))


def _loggers(train: TrainConfig, out: Path) -> list[Logger]:
    """The loggers in `train.loggers`.

    Raises:
        KinemeError: the package of one is not installed.
    """
    makers: dict[str, Callable[[], Logger]] = {
        "csv": lambda: CSVLogger(out, name=LOGS, version="csv"),
        "tensorboard": lambda: TensorBoardLogger(
            out, name=LOGS, version="tensorboard", default_hp_metric=False
        ),
        "wandb": lambda: WandbLogger(name=out.name, save_dir=out / LOGS, project="kineme"),
    }
    try:
        return [makers[name]() for name in train.loggers]
    except ModuleNotFoundError as error:
        raise KinemeError(f"train.loggers: {one_line(error)}") from error


def _untrained(config: Config, store: ClipStore, rows: Array) -> Pretraining:
    """The method, initialised from the seed."""
    shape = ClipShape(store.layout, config.data.frames, store.bodies, config.data.stream)
    check_memory(config.encoder, config.method, shape, config.train.batch_size)
    torch.manual_seed(config.train.seed)
    encoder = build_encoder(config.encoder, shape)
    check_encoder(encoder)
    if store.present is not None:
        warn_if_shown(encoder)
    method = build_method(config.method, encoder)
    if config.train.recompute and not recompute(method):
        raise KinemeError(
            f"train.recompute: {config.encoder['name']} has no attention layers; leave it out, or lower "
            "train.batch_size and raise train.accumulate"
        )
    if config.train.compile != "off":
        _compile(encoder, config.train.compile)
    return Pretraining(method, config, store, rows)


def _compile(encoder: Encoder, mode: str) -> None:
    """Hands an encoder to `torch.compile`: `forward`, and what methods call besides."""
    encoder.compile(mode=mode)
    for name in ("feature_map", "tokens"):
        if hasattr(encoder, name):
            setattr(encoder, name, torch.compile(getattr(encoder, name), mode=mode))


def _tell_of_too_few(config: Config) -> None:
    """Warns where batches are too small for the statistics that a method takes of them."""
    clips = config.train.batch_size * process_count(config.train)
    least = METHODS[config.method["name"]].fewest_clips
    if clips < least:
        logger.warning(
            "%s compares too little in batches of %d clips, and its loss may rise; give more clips, of each "
            "store if there are several, and set train.batch_size to %d or more",
            *(config.method["name"], clips, least),
        )


def _tell_what_sits_out(config: Config, store: ClipStore, rows: Array) -> None:
    """Warns where incomplete batches leave out more than one clip in twenty of each epoch."""
    train, clips = config.train, resident(store, rows)
    if config.data.window:
        clips = clips.windows(config.data.window)
    counts = clips_by_store(store, clips)
    ranks = process_count(train) * train.accumulate
    if min(counts) < ranks:
        return  # training refuses them

    def out(batch_size: int) -> int:
        return sum(count % (batch_size * ranks) for count in counts)

    better = even_batch([count // ranks for count in counts], train.batch_size)
    if 20 * out(train.batch_size) > len(clips) and out(better) < out(train.batch_size):
        logger.warning(
            "%d of %d clips are left out of each epoch, as they do not fill a batch of %d; "
            "train.batch_size=%d leaves out fewer",
            *(out(train.batch_size), len(clips), train.batch_size, better),
        )


def _with_fitting_epochs(config: Config, store: ClipStore, rows: Array) -> Config:
    """The settings with as many epochs as fit into the time, if one is set, measured on a trial run."""
    minutes, at_most = config.train.minutes, config.train.max_minutes
    if minutes is None:
        minutes = at_most
    if minutes is None:
        return config
    stopwatch = Stopwatch(minutes)
    trial = replace(config, train=replace(config.train, epochs=max(config.train.epochs, TRIAL_STEPS)))
    fit(_untrained(trial, store, rows), [stopwatch])
    epochs = stopwatch.epochs if at_most is None else min(stopwatch.epochs, config.train.epochs)
    logger.info(
        "%.2g s per step, %s per epoch: %s in %g min",
        *(stopwatch.step_seconds, counted(stopwatch.epoch_steps, "step"), counted(epochs, "epoch"), minutes),
    )
    return replace(config, train=with_epochs(config.train, epochs))


def fit(
    module: Training,
    callbacks: Sequence[L.Callback] = (),
    *,
    loggers: Sequence[Logger] = (),
    resume: Path | None = None,
) -> None:
    """Trains a module by its settings.

    Args:
        module: the module.
        callbacks: Lightning callbacks.
        loggers: Lightning loggers.
        resume: training state to continue from.

    Raises:
        KinemeError: there is no GPU but one is required, a batch cannot be filled, or a loss is not finite.
    """
    # An earlier trainer and its module are a reference cycle, which holds weights and clips until collected.
    gc.collect()
    torch.cuda.empty_cache()  # does nothing if CUDA is not in use
    train = module.train_config
    accelerator, precision = resolve_device(train)
    several = process_count(train) > 1
    if several:
        synchronise_norms(module)
    with _quiet():
        trainer = L.Trainer(
            accelerator="gpu" if accelerator == "cuda" else "cpu",
            devices=train.devices,
            num_nodes=train.nodes,
            strategy="ddp" if several else "auto",
            precision=precision,
            max_epochs=train.epochs,
            accumulate_grad_batches=train.accumulate,
            gradient_clip_val=train.clip_gradients,
            callbacks=list(callbacks),
            logger=list(loggers) or False,
            enable_checkpointing=any(isinstance(each, Checkpoint) for each in callbacks),
            enable_progress_bar=any(isinstance(each, ProgressBar) for each in callbacks),
            enable_model_summary=False,
            use_distributed_sampler=False,
        )
        try:
            trainer.fit(module, ckpt_path=resume, weights_only=True)
        except SystemExit as error:  # Lightning's translation of an interrupt
            raise KeyboardInterrupt from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences Lightning's advice on workers, loggers and devices, which does not apply to resident clips."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning")]
    levels = [each.level for each in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        # Of 1×1 convolutions: harmless.
        warnings.filterwarnings("ignore", message="Grad strides do not match")
        try:
            for each in loggers:
                each.setLevel(logging.ERROR)
            yield
        finally:  # the program may use Lightning too
            for each, level in zip(loggers, levels, strict=True):
                each.setLevel(level)
