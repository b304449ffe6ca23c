"""Tandem: what a view changes, the loss by USDRL's terms, and the average that a run keeps."""

from __future__ import annotations

import pytest
import torch
from stepping import step

from kineme.clips.batches import Clips
from kineme.encoders import Canonical, ClipShape
from kineme.encoders.canonical import canonical
from kineme.errors import KinemeError
from kineme.layouts import get_layout
from kineme.losses import cross_correlation, similarity, variance_covariance
from kineme.methods import tandem
from kineme.methods.reading import COURSE
from kineme.methods.tandem import OBSERVED, SHARE, Tandem

NTU = get_layout("ntu25")
STILL = {"min_crop": 1.0, "shear": 0.0, "bone_scale": 0.0, "noise": 0.0, "hidden": 0.0}


def method_of(**settings: float) -> Tandem:
    torch.manual_seed(0)
    return Tandem(Canonical(ClipShape(NTU, 16, 2, "joint+bone+motion"), hidden=8), **settings)


def clips_of(n: int = 12) -> Clips:
    frames = torch.randn(n * 20, 2, 25, 3, generator=torch.Generator().manual_seed(0))
    frames[:20, 1] = 0  # the first clip shows one body
    return Clips(frames, 20 * torch.arange(n), torch.full((n,), 20))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_without_any_change_views_are_the_canonical_clips() -> None:
    clips = clips_of()
    one, other, clean = method_of(**STILL).views(clips, generator())
    torch.testing.assert_close(clean.clips, clips.resize(16))
    for view in (one, other):
        torch.testing.assert_close(view.clips, canonical(clips.resize(16), NTU), atol=1e-5, rtol=1e-5)
        assert view.mask is not None
        assert view.mask.all()


def test_half_of_the_views_hide_joints_up_to_a_share_in_all_frames_and_bodies() -> None:
    views = method_of(**STILL | {"hidden": 0.5}).views(clips_of(400), generator())
    masks = torch.cat([view.mask for view in views[:2] if view.mask is not None])
    assert masks.shape == (800, 16, 25, 2)
    assert torch.equal(masks, masks[:, :1, :, :1].expand_as(masks))
    hidden = (~masks[:, 0, :, 0]).float().mean(1)
    assert (hidden > 0).float().mean().item() == pytest.approx(0.5, abs=0.06)
    assert hidden.mean().item() == pytest.approx(0.125, abs=0.015)  # a half of a quarter


def test_half_of_the_views_are_sheared_and_half_have_other_bones() -> None:
    clips = clips_of(200)
    canon = canonical(clips.resize(16), NTU)
    for setting in ("shear", "bone_scale"):
        views = method_of(**STILL | {setting: 0.3}).views(clips, generator())[:2]
        changed = torch.cat([(view.clips - canon).abs().amax((1, 2, 3, 4)) > 1e-4 for view in views])
        assert changed.float().mean().item() == pytest.approx(0.5, abs=0.08), setting


def test_views_of_poses_in_images_have_no_depth() -> None:
    clips = clips_of(40)
    clips.frames[: 10 * 20, ..., 2] = 0  # ten of them
    for view in method_of(noise=0.1).views(clips, generator())[:2]:
        assert not view.clips[:10, 2].any()
        assert view.clips[10:, 2].flatten(1).any(1).all()


def test_absent_bodies_stay_absent() -> None:
    for view in method_of().views(clips_of(), generator()):
        assert not view.clips[0, ..., 1].any()
        assert view.clips[1, ..., 1].any()


def test_noise_is_in_units_of_the_body() -> None:
    settings = STILL | {"noise": 0.02}
    small, large = clips_of(200), clips_of(200)
    large = Clips(1000 * large.frames, large.start, large.length)  # in millimetres
    noisy, _, _ = method_of(**settings).views(small, generator())
    in_mm, _, _ = method_of(**settings).views(large, generator())
    torch.testing.assert_close(noisy.clips, in_mm.clips, atol=1e-5, rtol=1e-4)
    error = (noisy.clips - canonical(small.resize(16), NTU))[1:].square().mean().sqrt().item()
    assert error == pytest.approx(0.02 / 3**0.5, rel=0.1)  # a deviation uniform up to 0.02


def test_grains_weigh_as_set() -> None:
    clips = clips_of()
    heavy, light = (
        step(method_of(grain=grain), method_of().views(clips, generator()))["loss"] for grain in (1.0, 0.0)
    )
    usual = step(method_of(grain=0.5), method_of().views(clips, generator()))["loss"]
    assert heavy - light > 0.1
    torch.testing.assert_close(usual, (heavy + light) / 2)


def test_the_loss_is_that_of_usdrl_over_two_views() -> None:
    method = method_of()
    views = method.views(clips_of(), generator())
    losses = method.loss(views, 0.0)
    masks = torch.cat([view.mask for view in views[:2] if view.mask is not None])
    features = method.encoder(torch.cat([view.clips for view in views[:2]]), mask=masks)
    embeddings = method.project(features, 2)
    expected = sum(
        weight * (5 * similarity(z) + variance_covariance(z) + 0.001 * cross_correlation(z))
        for z, weight in zip(embeddings.values(), (1.0, 0.5, 0.5), strict=True)
    )
    torch.testing.assert_close(losses["loss"], expected)
    _, evidence = method.average.evidence(views[2].clips[:OBSERVED])
    torch.testing.assert_close(losses["observed"], evidence)


def test_the_average_is_what_is_kept_and_follows_the_network() -> None:
    method = method_of()
    assert method.learned is method.average
    assert not any(each.requires_grad for each in method.average.parameters())
    with torch.no_grad():
        for each in method.encoder.parameters():
            each.add_(1.0)
    before = next(method.average.parameters()).clone()
    method.before_step(0.0)
    torch.testing.assert_close(next(method.average.parameters()), before + SHARE)


def test_only_the_average_reads_its_clip_feature_by_what_was_observed() -> None:
    method = method_of(**STILL)
    clips = clips_of(OBSERVED)
    step(method, method.views(clips, generator()), 0.0)
    with torch.no_grad():
        features = method.learned(clips.resize(16)).clip
    torch.testing.assert_close(features.mean(0), torch.zeros(16), atol=1e-4, rtol=0)
    assert features.var(0).mean().item() == pytest.approx(1 + COURSE**2, rel=0.35)  # and what both share
    torch.testing.assert_close(method.encoder.reading, torch.eye(*method.encoder.reading.shape))
    before = method.learned.reading.clone()
    step(method, method.views(clips, generator()), 0.1)
    assert torch.equal(method.learned.reading, before)  # the next one is after ten more steps


def test_the_clips_of_all_processes_are_observed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tandem, "gather", lambda mine: torch.cat((mine, mine + 1)))
    method = method_of(**STILL)
    step(method, method.views(clips_of(OBSERVED), generator()), 0.0)
    _, mine = method.average.evidence(clips_of(OBSERVED).resize(16))
    torch.testing.assert_close(method.learned.centre, mine.mean(0) + 0.5)


def test_training_that_began_without_moments_is_refused() -> None:
    method = method_of()
    earlier = {name: each for name, each in method.state_dict().items() if not name.startswith("reading.")}
    with pytest.raises(KinemeError, match=r"began with an earlier version, .* train from the start"):
        method.load_state_dict(earlier)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"hidden": 1.5}, "hidden: is 1.5; it must be at least 0"),
        ({"noise": -1.0}, "noise: is -1.0; it must be at least 0"),
        ({"bone_scale": 2.0}, "bone_scale: is 2.0; it must be at least 0"),
    ],
)
def test_settings_without_meaning_are_refused(setting: dict[str, float], complaint: str) -> None:
    with pytest.raises(KinemeError, match=complaint):
        method_of(**setting)
