"""`Model`: a pre-trained encoder with everything needed to embed new recordings.

model = kineme.load("runs/joint")
features = model.embed([walk, wave])      # arrays (T, V, 3), a store, or a file of poses
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor

from kineme.augment import centre_window
from kineme.checkpoints import build_encoder, fingerprint, save_encoder
from kineme.clips.absent import preprocessed, told
from kineme.clips.batches import Clips, joined, resident
from kineme.clips.folders import is_store
from kineme.clips.retargeted import RetargetedStore, Retargeting
from kineme.clips.store import Clip, ClipStore
from kineme.config import EvaluateConfig
from kineme.encoders import ClipShape, Encoder
from kineme.encoders.absent import encoded
from kineme.errors import KinemeError, OtherSkeletonError, check_between
from kineme.files import followed
from kineme.layouts import Layout
from kineme.layouts.correspondence import JointMap
from kineme.preprocessing import Preprocessing
from kineme.progress import Progress, silent
from kineme.runs import WEIGHTS
from kineme.settings import config_from_dict
from kineme.sources import Source
from kineme.sources.poses.coordinates import FROM_ABOVE
from kineme.sources.poses.given import given_poses
from kineme.sources.reading import Reading, check_no_effect, joint_map_of, stated
from kineme.sources.recordings import open_recordings
from kineme.streams import single_streams
from kineme.training.directory import check_room, occupied, replacing, restore, write_config
from kineme.typing import Array
from kineme.words import counted

logger = logging.getLogger(__name__)

Recorded = Array | Tensor | Sequence[Array] | Sequence[Tensor] | ClipStore | str | Path
"""What `Model.embed` takes."""

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


# (units of recordings, of the model) → what helps
_REMEDIES = {
    ("body sizes", "image heights"): "set `image` to the size of its images",
    ("image heights", "body sizes"): "leave out `image`",
    **{(units, units + FROM_ABOVE): "set `axes` to above" for units in ("body sizes", "image heights")},
    **{(units + FROM_ABOVE, units): "leave out `axes`" for units in ("body sizes", "image heights")},
}


@dataclass(frozen=True)
class Model:
    """A pre-trained encoder with its preprocessing and configuration; `kineme.load` returns one.

    Attributes:
        encoder: in evaluation mode, float32, on the CPU.
        method: name of the method that trained it.
        preprocessing: of its training clips.
        config: the run's complete configuration.
        weights: SHA-256 of the encoder's weights.
        epochs: of training; None if unknown.
        units: of its training clips; None if unknown.

    >>> import kineme
    >>> model = kineme.load(example_run)
    >>> model.method, model.epochs, model.preprocessing.id, model.stream, model.shape.frames
    ('usdrl', 1, 'plain', 'joint', 16)
    """

    encoder: Encoder
    method: str
    preprocessing: Preprocessing
    config: Mapping[str, Any]
    weights: str
    epochs: int | None = None
    units: str | None = None

    def __repr__(self) -> str:
        shape, epochs = self.shape, "" if self.epochs is None else f", {counted(self.epochs, 'epoch')}"
        bodies = counted(shape.bodies, "body", "bodies")
        return (
            f"<Model {self.method}{epochs}: {shape.frames} frames, {bodies}, {shape.layout.name}, "
            f"{self.stream}, {self.preprocessing.id} → {self.encoder.dim} features>"
        )

    @property
    def shape(self) -> ClipShape:
        """Shape of the clips that the encoder takes."""
        return self.encoder.shape

    @property
    def stream(self) -> str:
        """Input modality: joint, bone or motion."""
        return self.shape.stream

    @cached_property
    def protocols(self) -> EvaluateConfig:
        """Settings of the protocols that evaluate it."""
        return copy.deepcopy(_protocols(json.dumps(self.config, sort_keys=True)))

    @property
    def crop(self) -> float:
        """Share of a clip's frames, around its centre, that is encoded."""
        return self.protocols.crop

    def embed(
        self,
        x: Recorded,
        *,
        allow_preprocessing: bool = False,
        batch_size: int = 256,
        device: str | None = None,
        precision: str = "float32",
        progress: Progress = silent,
        **reading: Unpack[Reading],
    ) -> Array:
        """Features of clips, prepared as the training clips were.

        Arrays and files are raw recordings and go through the model's preprocessing. A store holds clips that
        have already been preprocessed, which must have been done in the same way. Joints of another layout
        are matched by name.

        Args:
            x: an array or tensor (T, V, C) or (T, M, V, C), C = 2 or 3, y up and in metres by default; a list
                of such; a clip store or its path; a file or folder of poses (.trc, .c3d, .bvh, AMASS, .npy,
                CSV, JSON) or an .npz container.
            allow_preprocessing: accept a store with another preprocessing or units.
            batch_size: clips per pass of the encoder.
            device: of the encoder; by default a GPU if there is one.
            precision: of the encoder, `float32` or `bfloat16`.
            progress: called with the clips done and in total.
            **reading: `layout`, `fps`, `axes`, `units`, `image`, `joint_map`, `body_model` and others: what
                arrays and files do not specify, see `kineme.sources.reading.Reading`.

        Returns:
            (N, D) float32; (D,) for a single array.

        Raises:
            KinemeError: the clips do not fit the model (layout, units, bodies, preprocessing), a file cannot
                be read, or there is no such device or precision.

        >>> import kineme, numpy
        >>> model = kineme.load(example_run)
        >>> one = numpy.random.default_rng(0).normal(size=(40, 25, 3))
        >>> model.embed(one).shape, model.embed([one, one[:20]]).shape
        ((64,), (2, 64))
        """
        clips = self.clips(x, allow_preprocessing=allow_preprocessing, device=device, **reading)
        features = self.encode(
            clips, batch_size=batch_size, device=device, precision=precision, progress=progress
        )
        single = not isinstance(x, str | Path | ClipStore | Sequence)
        return features[0] if single else features

    def clips(
        self,
        x: Recorded,
        *,
        allow_preprocessing: bool = False,
        device: str | None = None,
        **reading: Unpack[Reading],
    ) -> Clips:
        """What `embed` takes, as clips in memory, prepared as the training clips were.

        Arguments and errors are those of `embed`.

        >>> import kineme, numpy
        >>> model = kineme.load(example_run)
        >>> model.clips([numpy.ones((40, 25, 3)), numpy.ones((20, 25, 3))]).length
        tensor([40, 20])
        """
        told = stated(reading)
        joint_map = joint_map_of(told)
        if isinstance(x, str | Path) and is_store(x):
            x = ClipStore(x)
        if isinstance(x, ClipStore):
            check_no_effect(told, "a store, which describes itself")
            store = self.fitted(x, joint_map)
            self.check(store, allow_preprocessing=allow_preprocessing)
            return resident(store, device=device_of(device))
        if isinstance(x, str | Path):
            source = open_recordings(Path(x), told, self.shape.layout)
        else:
            given = x if isinstance(x, Sequence) else [x]
            arrays = [each.detach().cpu() if isinstance(each, Tensor) else each for each in given]
            source = given_poses([np.asarray(each) for each in arrays], self.shape.layout, told)
        prepared = [*self.prepared(source, joint_map)]
        return joined([clip.xyz for clip in prepared], [clip.present for clip in prepared])

    def encode(
        self,
        clips: Clips,
        *,
        batch_size: int = 256,
        device: torch.device | str | None = None,
        precision: str = "float32",
        crop: float | None = None,
        progress: Progress = silent,
    ) -> Array:
        """Features of preprocessed clips in memory.

        Args:
            clips: in the model's layout, see `clips`.
            batch_size: clips per pass of the encoder.
            device: of the encoder; by default a GPU if there is one, even if `on` has put it elsewhere.
            precision: of the encoder, `float32` or `bfloat16`.
            crop: share of each clip's frames, around its centre, that is encoded; by default the model's.
            progress: called with the clips done and in total.

        Returns:
            (N, D) float32.

        Raises:
            KinemeError: a feature is not finite, `batch_size` is below 1, or there is no such device or
                precision.

        >>> import kineme
        >>> clips = resident(kineme.open_store(example_store))
        >>> kineme.load(example_run).encode(clips).shape
        (24, 64)
        """
        check_between("`batch_size`", batch_size, 1)
        if precision not in PRECISIONS:
            raise KinemeError(f"`precision`: is {precision}; it must be {' or '.join(PRECISIONS)}")
        place = torch.device(device_of(device))
        encoder = self.on(place).encoder
        features = np.empty((len(clips), encoder.dim), dtype=np.float32)
        crop = self.crop if crop is None else crop
        with (
            torch.inference_mode(),
            torch.autocast(place.type, PRECISIONS[precision], enabled=precision != "float32"),
        ):
            for start in range(0, len(clips), batch_size):
                batch = clips[start : start + batch_size]
                joints, present = clip_input(batch, encoder.shape, crop).to(place), batch.present
                found = encoded(encoder, joints, None if present is None else present.to(place))
                features[start : start + batch_size] = found.clip.float().cpu().numpy()
                progress(min(start + batch_size, len(clips)), len(clips))
        if not np.isfinite(features).all():
            raise KinemeError(
                f"the {self.method} encoder gives features that are NaN or infinite because its training "
                "diverged; train it again with a smaller learning rate"
            )
        return features

    def on(self, device: torch.device | str) -> Model:
        """The model with its encoder on a device and in evaluation mode; a copy unless it is there already.

        This way, repeated calls of `encode` with that `device` need not move the encoder each time.

        >>> import kineme
        >>> model = kineme.load(example_run)
        >>> model.on("cpu") is model
        True
        """
        weight = next(self.encoder.parameters(), torch.empty(0))
        if weight.device == torch.empty(0, device=device).device and not self.encoder.training:
            return self
        return replace(self, encoder=copy.deepcopy(self.encoder).eval().to(device))

    def save(self, out: str | Path, *, overwrite: bool = False) -> None:
        """Writes the model as a run directory, without training state.

        Args:
            out: the run directory.
            overwrite: replace an existing run.

        Raises:
            KinemeError: `out` is occupied or cannot be written.

        >>> import kineme
        >>> model = kineme.load(example_run)
        >>> model.save(example_folder / "copy")
        >>> kineme.load(example_folder / "copy").weights == model.weights
        True
        """
        run = followed(Path(out))
        with occupied(run):
            restore(run)
            check_room(run, overwrite)
            with replacing(run):
                write_config(run, self.config)
                save_encoder(
                    run / WEIGHTS, self.encoder, self.preprocessing, self.config, self.epochs, self.units
                )

    def fitted(self, store: ClipStore, joint_map: JointMap | None = None) -> ClipStore:
        """The store in the model's layout: itself, or retargeted.

        Args:
            store: clips of any layout.
            joint_map: joint of the model → joints of the store whose mean it is, where names do not tell.

        Raises:
            KinemeError: a joint of the model cannot be placed among those of the store. A model of layout
                `body` takes any store.

        >>> import kineme
        >>> store = kineme.open_store(example_store)
        >>> kineme.load(example_run).fitted(store) is store
        True
        """
        if store.layout == self.shape.layout:
            return store
        logger.info("%s: joints of %s found among those of %s by their names",
                    store.path, self.shape.layout.name, store.layout.name)  # fmt: skip
        return RetargetedStore(store, self.shape.layout, joint_map)

    def check(self, store: ClipStore, *, allow_preprocessing: bool = False) -> None:
        """Checks that a store holds clips like those the encoder was trained on.

        Args:
            store: in the model's layout, see `fitted`.
            allow_preprocessing: accept another preprocessing or units.

        Raises:
            KinemeError: the layout differs, clips have more bodies, or, unless allowed, units or
                preprocessing differ.

        >>> import kineme
        >>> kineme.load(example_run).check(kineme.open_store(example_store))
        """
        shape, manifest = self.shape, store.manifest
        if store.layout != shape.layout:
            same = (
                " (of the same name, but with other joints)" if store.layout.name == shape.layout.name else ""
            )
            raise KinemeError(
                f"{store.path}: its layout is {store.layout.name}, the encoder's {shape.layout.name}{same}; "
                "set `map_joints` to find the encoder's joints among the store's by name"
            )
        crowded = np.sum(store.index["bodies"] > shape.bodies) if store.bodies > shape.bodies else 0
        if crowded:
            raise KinemeError(
                f"{store.path}: {crowded} of its {len(store)} clips show more bodies than the {shape.bodies} "
                "that the encoder reads; make the store without them (kineme prepare --ignore, kineme "
                f"generate --actions), or use an encoder that was trained on a store of {store.bodies}"
            )
        if allow_preprocessing:
            return
        if manifest.preprocessing != self.preprocessing:
            raise KinemeError(
                f"{store.path}: was prepared by {manifest.preprocessing.id}, the encoder was trained on "
                f"{self.preprocessing.id}; prepare it in the same way, or set `allow_preprocessing`"
            )
        if self.units not in (None, manifest.units):
            raise KinemeError(
                f"{store.path}: is in {manifest.units}, the encoder was trained on {self.units}; prepare it "
                "in the same way, or set `allow_preprocessing`"
            )

    def prepared(self, source: Source, joint_map: JointMap | None = None) -> Iterator[Clip]:
        """Raw clips, one by one: preprocessed, with the model's joints and bodies.

        Args:
            source: the recordings, opened; see `kineme.SOURCES`.
            joint_map: as of `fitted`.

        Raises:
            KinemeError: the source's units or layout do not fit the model (raised immediately), or a clip
                cannot be preprocessed (raised when its turn comes).
        """
        return map(self.reader(source, joint_map), source.items)

    def reader(self, source: Source, joint_map: JointMap | None = None) -> Callable[[Any], Clip]:
        """A function that reads and prepares an item of a source, as `prepared` does.

        Recordings may be of several skeletons; those of each are read as if they had a folder of their own.

        Raises:
            KinemeError: the source's units or layout do not fit the model.
        """
        kinds = [(source.reader(self.preprocessing), self.preparer(source, joint_map))]

        def prepared(item: Any) -> Clip:
            for read, prepare in kinds:
                with suppress(OtherSkeletonError):
                    return prepare(read(item))
            assert source.alone is not None
            own = source.alone(item)  # the first of its skeleton, which tells what the others are like
            read, prepare = own.reader(self.preprocessing), self.preparer(own, joint_map)
            kinds.append((read, prepare))
            return prepare(read(item))

        return prepared

    def preparer(self, source: Source, joint_map: JointMap | None = None) -> Callable[[Clip], Clip]:
        """A function that prepares a raw clip of a source, as `prepared` does.

        Raises:
            KinemeError: the source's units or layout do not fit the model.
        """
        units = self.preprocessing.units(source.units)
        if self.units not in (None, units):
            remedy = _REMEDIES.get(
                (units, self.units or ""), "use a model that was trained on such recordings"
            )
            raise KinemeError(
                f"{source.name}: is in {units}, but the model was trained on {self.units}; {remedy}"
            )
        retargeting = None
        if source.layout != self.shape.layout:
            retargeting = Retargeting(source.layout, self.shape.layout, joint_map)
        return lambda clip: self._prepared(clip, source.layout, retargeting)

    def _prepared(self, clip: Clip, layout: Layout, retargeting: Retargeting | None) -> Clip:
        shape = self.shape
        try:
            clip = preprocessed(told(clip, layout), self.preprocessing, layout)
            if retargeting is not None:
                clip = retargeting(clip, self.preprocessing)
        except KinemeError as error:
            raise KinemeError(f"{clip.name}: {error}") from error
        xyz = clip.xyz
        if xyz[:, shape.bodies :].any():
            raise KinemeError(
                f"{clip.name}: shows {xyz.shape[1]} bodies, but the encoder reads {shape.bodies}"
            )
        xyz = xyz[:, : shape.bodies]
        xyz = np.pad(xyz, ((0, 0), (0, shape.bodies - xyz.shape[1]), (0, 0), (0, 0)))
        return replace(clip, xyz=xyz)


@lru_cache(maxsize=16)
def _protocols(config: str) -> EvaluateConfig:
    """Of a configuration as JSON, parsed once for all copies of a model."""
    return config_from_dict(json.loads(config), where="the model's configuration").evaluate


def random_like(model: Model, seed: int) -> Model:
    """The same encoder before training, initialised from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # a GPU's are not drawn from
        encoder = build_encoder(model.config["encoder"], model.shape).eval()
    return replace(with_encoder(model, encoder), epochs=0)


def with_stream(model: Model, stream: str) -> Model:
    """The model on some of the streams that its encoder was built for, such as `bone`.

    Raises:
        KinemeError: it was built for others.

    >>> import kineme
    >>> with_stream(kineme.load(example_run), "joint").stream
    'joint'
    """
    streams, built = single_streams(stream), model.encoder.streams
    if not set(streams) <= set(built):
        raise KinemeError(f"`stream`: the encoder was trained on {'+'.join(built)}, not on {stream}")
    encoder = copy.deepcopy(model.encoder)
    encoder.shape = replace(model.shape, stream=stream)
    return replace(model, encoder=encoder)


def with_encoder(model: Model, encoder: Encoder) -> Model:
    """The model with another encoder, in evaluation mode."""
    return replace(model, encoder=encoder.eval(), weights=fingerprint(encoder))


def clip_input(clips: Clips, shape: ClipShape, crop: float) -> Tensor:
    """The joints in the middle share `crop` of each clip, at an encoder's frames: (N, C, T, V, M)."""
    start, length = centre_window(clips.length, crop)
    return clips.resize(shape.frames, start, length)


def device_of(device: torch.device | str | None) -> str:
    """The device that is named; `cuda` if none is and there is a GPU.

    Raises:
        KinemeError: PyTorch has no such device here.
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise KinemeError(
            f"`device`: is {device}, which PyTorch does not find here; set it to cpu"
        ) from error
    return str(device)
