"""Layouts of recordings for an encoder of any."""

from __future__ import annotations

from kineme.layouts import Layout

UPPER = Layout.from_names(
    "upper",
    [
        *("pelvis", "neck_base", "head", "left_shoulder", "right_shoulder"),
        *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hat_rim", "right_hat_rim"),
    ],
    [
        *(None, "pelvis", "neck_base", "neck_base", "neck_base"),
        *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "head", "head"),
    ],
    facing=["left_shoulder", "right_shoulder"],
)
"""A body without legs, and a hat, whose name tells nothing."""
