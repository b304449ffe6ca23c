"""What is not set is as published: the papers' settings of NTU RGB+D; Tandem's are those of its page."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest

from kineme.encoders import ENCODERS
from kineme.methods import METHODS

LOSSES_OF_USDRL = {"similarity": 5.0, "variance": 1.0, "grain": 0.5}
VIEWS_OF_USDRL = {"min_crop": 0.1, "shear": 1.0}
PUBLISHED: dict[str, dict[str, Any]] = {
    "aimclr": {
        "projection": 128,
        "queue": 32768,
        "momentum": 0.999,
        "temperature": 0.07,
        "extreme": True,
        "mining": 1,
        "mining_from": 0.5,
        "min_crop": 1.0,
        "shear": 0.5,
    },
    "usdrl": {**LOSSES_OF_USDRL, **VIEWS_OF_USDRL, "cross": 0.001, "missing": 0.0},
    "mpct": {**LOSSES_OF_USDRL, **VIEWS_OF_USDRL, "cross": 0.0, "missing": 0.0},
    "scdnet": {
        "projection": 128,
        "queue": 8192,
        "head_norm": False,
        "momentum": 0.999,
        "temperature": 0.2,
        "min_crop": 0.1,
        "shear": 1.0,
    },
    "mamp": {
        "mask_ratio": 0.9,
        "masking": "motion-aware",
        "temperature": 0.8,
        "target": "motion",
        "stride": 1,
        "standardise": True,
        "decoder_hidden": 256,
        "decoder_depth": 3,
        "min_crop": 0.5,
        "min_frames": 64,
        "rotation": 0.3,
    },
    "slim": {
        "prototypes": 65536,
        "head_hidden": 2048,
        "head_out": 256,
        "momentum": 0.994,
        "student_temperature": 0.1,
        "teacher_temperatures": (0.04, 0.07),
        "temperature_rise": 0.2,
        "freeze": 1 / 150,
        "koleo": 0.1,
        "embedding_rate": 0.2,
        "global_crop": (0.5, 1.0),
        "local_crops": ((32, 0.35, 0.7), (16, 0.15, 0.4), (16, 0.15, 0.4), (8, 0.05, 0.2)),
        "masked": 0.5,
        "mask_ratio": (0.5, 0.9),
        "bone_scale": 0.15,
        "tilt": 0.3,
        "turn": math.pi,
        "noise": 0.01,
    },
    "tandem": {
        **LOSSES_OF_USDRL,
        "cross": 0.001,
        "min_crop": 0.5,
        "shear": 0.4,
        "bone_scale": 0.15,
        "noise": 0.05,
        "hidden": 0.5,
    },
    "encoder stgcn": {
        "channels": (16, 16, 16, 16, 32, 32, 32, 64, 64, 256),
        "strided": (4, 7),
        "dropout": 0.5,
    },
    "encoder sttr": {"hidden": 1024, "heads": 1, "depth": 2},
    "encoder dste": {"hidden": 1024, "heads": 1, "depth": 2, "drop_path": 0.1, "gap": 4, "alpha": 0.5},
    "encoder disentangled": {
        "hidden": 2048,
        "heads": 8,
        "stem": (64, 256, 64),
        "dropout": 0.1,
        "input_norm": True,
    },
    "encoder mamp": {"hidden": 256, "heads": 8, "depth": 8, "patch": 4, "present_only": False},
    "encoder slim": {"hidden": 256, "heads": 8, "depth": 8, "patch": 8, "registers": 4},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_setting_that_is_left_out_is_the_published_one(name: str) -> None:
    kind, _, encoder = name.partition(" ")
    made = inspect.signature(ENCODERS[encoder] if encoder else METHODS[kind])
    found = {key: each.default for key, each in made.parameters.items()}
    assert {key: found[key] for key in PUBLISHED[name]} == PUBLISHED[name]
