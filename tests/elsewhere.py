"""A device that is not the CPU, and a program that uses what takes a `device` on it.

Numbers of the device `elsewhere` are in the CPU's memory, yet PyTorch takes it for another device: operations
on tensors of both fail as they do with CUDA, and so does reading its tensors as NumPy arrays. Once there, it
stays for the whole process. So tests start this program, which prints for each use what it gave there and on
the CPU, or what went wrong.

    python elsewhere.py RUN STORE
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

ELSEWHERE = "elsewhere"
BETWEEN = {"_to_copy", "copy_"}  # may have tensors of two devices
SHIFTED = {
    "index",
    "index_put_",
    "_index_put_impl_",
    "_unsafe_index",
}  # CUDA takes indices that are on the CPU


class Backend(backend_registration._DummyBackendModule):
    """What PyTorch asks of a device."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


def is_elsewhere(device: object) -> bool:
    return device is not None and str(device).partition(":")[0] == ELSEWHERE


class Moved(Tensor):
    """A tensor elsewhere; its numbers are those of `here`."""

    here: Tensor

    @staticmethod
    def __new__(cls, here: Tensor) -> Moved:
        own: Moved = Tensor._make_wrapper_subclass(
            cls,
            here.size(),
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=f"{ELSEWHERE}:0",
        )
        own.here = here
        return own

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class Operations(TorchDispatchMode):
    """Makes tensors elsewhere, and refuses operations on tensors of both devices."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


def run(func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
    """An operation, on the tensors that are here; the result is where they are, or where asked."""
    name, asked = func.name().removeprefix("aten::").partition(".")[0], kwargs.get("device")
    tensors = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
    there = [isinstance(each, Moved) for each in tensors if each.ndim]
    if len(set(there)) == 2 and name not in BETWEEN | SHIFTED:
        raise RuntimeError(f"{name} of tensors on two devices")
    if asked is not None:
        away = is_elsewhere(asked)
    else:
        away = any(
            isinstance(each, Moved) for each in (tensors[:1] if name in BETWEEN | SHIFTED else tensors)
        )
    settings = {**kwargs, "device": torch.device("cpu")} if is_elsewhere(asked) else kwargs
    here = tree_map(lambda each: each.here if isinstance(each, Moved) else each, (args, settings))
    found = func(*here[0], **here[1])
    if name == "copy_":
        return args[0]
    if not away:
        return found
    found = tree_map(lambda each: Moved(each) if isinstance(each, Tensor) else each, found)
    return return_and_correct_aliasing(func, args, kwargs, found)


class Calls(TorchFunctionMode):
    """What PyTorch does before operations: generators and tensors of numbers have a device too."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.tensor and is_elsewhere(kwargs.get("device")):
            return func(*args, **{**kwargs, "device": "cpu"}).to(ELSEWHERE)
        if func is Tensor.__getitem__ and isinstance(args[0], Moved):
            places = args[1] if isinstance(args[1], tuple) else (args[1],)
            args = (args[0], tuple(torch.tensor(at) if isinstance(at, list) else at for at in places))
        found = func(*args, **kwargs)
        drawn = [each for each in (*args, *kwargs.values()) if isinstance(each, PLAIN)]
        if drawn and is_elsewhere(drawn[0].device) != isinstance(found, Moved):
            raise RuntimeError(f"{func.__name__} from a generator on {drawn[0].device}")
        return found


PLAIN = torch.Generator


class Generator(torch.Generator):
    """`torch.Generator`, which there is none of elsewhere: it says that it is there."""

    def __new__(cls, device: Any = "cpu") -> Any:
        if not is_elsewhere(device):
            return PLAIN(device)
        return super().__new__(cls)

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device(ELSEWHERE)


def begin() -> None:
    """Makes the device known to this process, for good."""
    backend_registration._setup_privateuseone_for_python_backend(ELSEWHERE, Backend())
    torch.Generator = Generator  # type: ignore[misc]
    # Tensors of other classes cannot be made in inference mode.
    torch.inference_mode = lambda mode=True: (  # type: ignore[misc, assignment]
        torch.no_grad()(mode) if callable(mode) else torch.set_grad_enabled(not mode)
    )


def uses(run_folder: Path, store_folder: Path) -> dict[str, Callable[[str], Any]]:
    """What takes a device → numbers that are to be the same on all."""
    import kineme
    from kineme import inference, protocols
    from kineme.config import LinearConfig
    from kineme.evaluation.detection.boundaries import fit_boundaries, short_windows
    from kineme.evaluation.detection.classifier import Context, classifier_for, fit
    from kineme.evaluation.detection.extract import store_features
    from kineme.evaluation.detection.frames import Windows
    from kineme.metrics.neighbours import nearest, nearest_label
    from kineme.metrics.ranking import rank

    model, store = kineme.load(run_folder), kineme.open_store(store_folder)
    task, names = (
        protocols.open_task(run_folder),
        store.manifest.class_names,
    )
    rng, rows, probe = np.random.default_rng(0), np.arange(len(store)), LinearConfig(lr=0.1, epochs=2)
    x, query = rng.normal(size=(40, 6)).astype(np.float32), rng.normal(size=(9, 6)).astype(np.float32)
    y, windows = np.arange(40) % 3, Windows("centred", 8, 2)
    examples = [inference.Example(str(store.names[row]), names[store.labels[row]]) for row in rows[::2]]
    taught = inference.teach(model, examples, store=store)
    clip = np.asarray(store.clip(0)[:, 0])

    def scores(protocol: Callable[..., Any]) -> Callable[[str], Any]:
        def measured(device: str) -> list[float]:
            result = protocol(replace(task, device=device))[0]
            return [score.value for score in result.scores.values()]

        return measured

    def detected(device: str) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            features = store_features(model, store, rows, windows, Path(folder), device=device)
            return np.array(features, np.float32)

    def framed(device: str) -> Any:
        settings = replace(classifier_for("C"), epochs=2, least_steps=4)
        found = fit(x, np.array([0, 20, 40]), y, 3, Context(1, 2), settings, seed=0, device=device)
        moved = fit_boundaries(
            x, np.array([0, 20, 40]), y, short_windows(windows), 1, settings, device=device
        )
        return np.concatenate([found.probabilities(x), moved.moves(x)], axis=1)

    return {
        "embed": lambda device: model.embed(store, device=device),
        "embed an array": lambda device: model.embed(clip, device=device),
        "embed_table": lambda device: [
            block.features for block in inference.embed_table(model, store_folder, window=0.5, device=device)
        ],
        "nearest": lambda device: nearest(x, query, k=3, device=device)[1],
        "nearest_label": lambda device: nearest_label(x, y, query, device=device),
        "rank": lambda device: rank(x, y, query, y[:9], device=device).average_precision,
        "logistic": lambda device: protocols.logistic(x, y, query, 3, device=device),
        "sgd": lambda device: protocols.sgd(x, y, query, y[:9], 3, probe, seed=0, device=device)[0].scores,
        "knn": scores(protocols.knn),
        "robust": scores(protocols.robust),
        "features of frames": detected,
        "classes of frames": framed,
        "teach": lambda device: inference.teach(model, examples, store=store, device=device).head.weight,
        "predict": lambda device: [
            part.probability
            for prediction in inference.predict(model, taught, store_folder, device=device)
            for part in prediction.segments
        ],
        "watch": lambda device: inference.Taught(model, taught, none=0, device=device).scores(
            model.clips(clip)
        ),
        "suggest": lambda device: [
            each.probability for each in inference.suggest(model, taught, store, device=device)
        ],
        "search": lambda device: [
            hit.similarity for hit in inference.search(model, store, str(store.names[0]), k=3, device=device)
        ],
        "cluster": lambda device: [
            [segment.kind, segment.start]
            for segment in inference.cluster(model, store, k=3, device=device).segments
        ],
    }


def mixed(device: str) -> Any:
    return (torch.ones(2, device=device) + torch.ones(2)).cpu().numpy()


def read(device: str) -> Any:
    return torch.ones(2, device=device).numpy()


def drawn(device: str) -> Any:
    return torch.rand(2, generator=torch.Generator(), device=device).cpu().numpy()


def outcome(use: Callable[[str], Any]) -> str:
    """Empty if it gives the same elsewhere as on the CPU."""
    expected = use("cpu")
    try:
        with Calls(), Operations():
            found = use(ELSEWHERE)
        np.testing.assert_allclose(np.array(found, float), np.array(expected, float), rtol=1e-3, atol=1e-4)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


if __name__ == "__main__":
    begin()
    every = {**uses(Path(sys.argv[1]), Path(sys.argv[2])), "mixed": mixed, "read": read, "drawn": drawn}
    print(json.dumps({name: outcome(use) for name, use in every.items()}))
