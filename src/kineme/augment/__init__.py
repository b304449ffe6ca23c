"""Random transforms of whole batches (N, C, T, V, M).

A transform is a plain function of the clips and one parameter per clip; a `draw_` function samples the
parameters. Every transform has a neutral parameter that leaves a clip unchanged, so applying it with some
probability takes no branch: `blur(clips, where(draw_coin(n, 0.5, g), draw_blur(n, g), 0.0))`.

Draws use the caller's generator, on its device, never the global one. If several processes share a batch,
they draw what a single process would: see `Share`.
"""

from kineme.augment.draws import (
    Share,
    draw_coin,
    draw_subset,
    draw_uniform,
    of_all,
    rand,
    randint,
    randn,
    where,
)
from kineme.augment.geometry import (
    draw_axis,
    draw_bone_scales,
    draw_rotation,
    draw_shear,
    draw_turn,
    flip,
    mask_axis,
    noise,
    reflect,
    rotate,
    rotation_matrix,
    scale_bones,
    shear,
    shear_matrix,
    transform,
)
from kineme.augment.masks import (
    corrupt,
    draw_corruption,
    draw_region,
    draw_segments,
    mask_frames,
    mask_joints,
    region_sums,
    two_hops,
)
from kineme.augment.missing import draw_present, filled
from kineme.augment.patches import (
    hidden_patches,
    hiding_order,
    kept_patches,
    masking_logits,
    motion_intensity,
    num_kept,
    to_patches,
)
from kineme.augment.temporal import (
    blur,
    centre_window,
    draw_blur,
    draw_frames,
    draw_pad_crop,
    draw_window,
    pad_crop,
    reverse_time,
)
from kineme.augment.tubes import draw_ratios, draw_tubes, part_places

__all__ = [
    "Share",
    "blur",
    "centre_window",
    "corrupt",
    "draw_axis",
    "draw_blur",
    "draw_bone_scales",
    "draw_coin",
    "draw_corruption",
    "draw_frames",
    "draw_pad_crop",
    "draw_present",
    "draw_ratios",
    "draw_region",
    "draw_rotation",
    "draw_segments",
    "draw_shear",
    "draw_subset",
    "draw_tubes",
    "draw_turn",
    "draw_uniform",
    "draw_window",
    "filled",
    "flip",
    "hidden_patches",
    "hiding_order",
    "kept_patches",
    "mask_axis",
    "mask_frames",
    "mask_joints",
    "masking_logits",
    "motion_intensity",
    "noise",
    "num_kept",
    "of_all",
    "pad_crop",
    "part_places",
    "rand",
    "randint",
    "randn",
    "reflect",
    "region_sums",
    "reverse_time",
    "rotate",
    "rotation_matrix",
    "scale_bones",
    "shear",
    "shear_matrix",
    "to_patches",
    "transform",
    "two_hops",
    "where",
]
