"""The generator's clips: what they promise to everyone who uses them as data."""

import numpy as np
import pytest

from kineme.errors import KinemeError
from kineme.generate import ACTIONS, generate_clips, generate_recordings, generate_store
from kineme.generate.performances import _people
from kineme.layouts import LAYOUTS

NTU = LAYOUTS["ntu25"]
JOINT = {name: index for index, name in enumerate(NTU.joints)}


def clips_by_name(**arguments):
    return {clip.name: clip for clip in generate_clips(**{"repetitions": 1, "seed": 7} | arguments)}


def test_catalogue_has_single_and_two_person_actions_with_stable_numbers():
    assert [action.number for action in ACTIONS] == list(range(1, len(ACTIONS) + 1))
    assert len({action.name for action in ACTIONS}) == len(ACTIONS)
    assert sum(action.bodies == 1 for action in ACTIONS) >= 14
    assert sum(action.bodies == 2 for action in ACTIONS) >= 3


def test_same_seed_same_clips_and_another_seed_others():
    some = {"subjects": 2, "actions": ["wave", "push"], "cameras": [1]}
    first, again, other = clips_by_name(**some), clips_by_name(**some), clips_by_name(**some, seed=8)
    assert first.keys() == again.keys() == other.keys()
    for name, clip in first.items():
        np.testing.assert_array_equal(clip.xyz, again[name].xyz)
        assert clip.xyz.shape != other[name].xyz.shape or not np.allclose(clip.xyz, other[name].xyz)


def test_a_clip_does_not_depend_on_what_is_generated_beside_it():
    alone = clips_by_name(subjects=2, actions=["hug", "kick"], cameras=[3])
    among = clips_by_name(subjects=3, repetitions=2, actions=["kick", "bow", "hug"])
    assert len(alone) == 4
    for name, clip in alone.items():
        np.testing.assert_array_equal(clip.xyz, among[name].xyz)


def test_clips_carry_what_their_names_say():
    clips = clips_by_name(subjects=2, repetitions=2, actions=["clap", "shake hands"], cameras=[2, 3])
    numbers = {action.name: action.number for action in ACTIONS}
    assert len(clips) == 2 * 2 * 2 * 2
    clip = clips[f"S001C003P002R001A{numbers['shake hands']:03d}"]
    assert (clip.label, clip.subject, clip.camera, clip.setup, clip.replication) == (1, "2", 3, 1, 1)
    assert clip.xyz.dtype == np.float32
    assert clip.xyz.shape[1:] == (2, 25, 3)


def test_nobody_is_the_partner_of_two_subjects_or_a_subject_too():
    cast = [person for people in _people(4, seed=0).values() for person in people]
    assert len({person.body.height for person in cast}) == 8


def test_second_body_is_there_exactly_in_two_person_actions():
    for clip in generate_clips(subjects=1, repetitions=1, cameras=[2], seed=0):
        present = clip.xyz.any(axis=(2, 3)).all(axis=0)
        assert present.tolist() == [True, ACTIONS[clip.label].bodies == 2], clip.name
        assert clip.xyz[:, 1].any() == present[1]


def test_the_camera_frame_has_people_upright_in_front_of_it_and_facing_it():
    (clip,) = generate_clips(subjects=1, repetitions=1, cameras=[2], actions=["wave"], seed=3)
    body = np.median(clip.xyz[:, 0], axis=0)
    assert 2.0 < body[JOINT["spine_base"], 2] < 4.5
    assert body[JOINT["head"], 1] > body[JOINT["spine_base"], 1] > body[JOINT["right_foot"], 1]
    # Kinect's x grows to the left of the picture, where the right side of a person is who faces the camera.
    assert body[JOINT["right_shoulder"], 0] > body[JOINT["left_shoulder"], 0]


def test_three_cameras_see_one_performance_from_45_degrees_apart():
    views = list(generate_clips(subjects=1, repetitions=1, actions=["clap"], seed=1))

    def shoulder_angle(clip):
        line = np.median(
            clip.xyz[:, 0, JOINT["right_shoulder"]] - clip.xyz[:, 0, JOINT["left_shoulder"]], axis=0
        )
        return np.degrees(np.arctan2(line[2], line[0]))

    assert [len(view.xyz) for view in views] == [len(views[0].xyz)] * 3
    turns = np.diff([shoulder_angle(view) for view in views])
    np.testing.assert_allclose(turns, [-45, -45], atol=6)


def nearest_neighbour_accuracy(clips, features):
    x = np.stack([features(clip.xyz) for clip in clips])
    label = np.array([clip.label for clip in clips])
    subject, camera = (
        np.array([int(getattr(clip, name)) for clip in clips]) for name in ("subject", "camera")
    )
    train, test = (subject % 2 == 1) & (camera != 1), (subject % 2 == 0) & (camera == 1)
    distance = ((x[test][:, None] - x[train][None]) ** 2).sum(-1)
    return np.mean(label[train][distance.argmin(1)] == label[test])


def centred_and_resampled(xyz, frames=32):
    xyz = np.where(xyz.any(axis=(2, 3), keepdims=True), xyz - xyz[:, :1, :1], 0)
    at = np.linspace(0, len(xyz) - 1, frames)
    below = at.astype(int)
    above = np.minimum(below + 1, len(xyz) - 1)
    weight = (at - below)[:, None, None, None]
    return ((1 - weight) * xyz[below] + weight * xyz[above]).ravel()


def test_raw_nearest_neighbours_do_not_solve_it_across_subjects_and_cameras():
    clips = list(generate_clips(subjects=6, repetitions=1, seed=0))
    accuracy = nearest_neighbour_accuracy(clips, centred_and_resampled)
    assert 3 / len(ACTIONS) < accuracy < 0.8


def test_recordings_label_frames_in_order_with_idling_in_between():
    recordings = list(generate_recordings(subjects=2, recordings=2, seconds=30, cameras=[1], seed=0))
    assert len(recordings) == 4
    for recording in recordings:
        assert recording.xyz.shape == (900, 2, 25, 3)
        assert recording.label == -1
        assert len(recording.intervals) >= 2
        starts, ends, labels = np.array(recording.intervals).T
        assert starts[0] > 0
        assert ends[-1] <= 900
        assert (starts < ends).all()
        assert (starts[1:] - ends[:-1] >= 10).all()
        bodies = {ACTIONS[label].bodies for label in labels}
        assert len(bodies) == 1
        assert recording.xyz[:, 1].any() == (bodies == {2})


def test_in_recordings_nobody_sits_down_twice():
    for recording in generate_recordings(
        subjects=4, recordings=1, seconds=40, cameras=[2], actions=["sit down", "stand up", "wave"], seed=2
    ):
        changes = [label for _, _, label in recording.intervals if label != 2]
        assert changes == [0, 1, 0, 1, 0, 1, 0, 1, 0][: len(changes)]


def test_more_seconds_continue_the_same_recording():
    def recorded(seconds):
        (clip,) = generate_recordings(subjects=1, recordings=1, seconds=seconds, cameras=[1], seed=4)
        return clip

    short, long = recorded(20), recorded(40)
    assert long.intervals[: len(short.intervals)] == short.intervals


def test_store_holds_clips_under_the_preprocessing_and_says_so(tmp_path):
    from kineme.preprocessing import get_preprocessing

    store = generate_store(
        tmp_path / "made",
        subjects=1,
        repetitions=1,
        actions=["bow", "hug"],
        preprocessing="plain(facing=True)",
        seed=5,
    )
    assert store.manifest.source == "generated"
    assert store.manifest.layout == NTU
    assert store.manifest.fps == 30
    assert store.manifest.class_names == ("bow", "hug")
    assert store.manifest.preprocessing.id == "plain(facing=True)"
    raw = list(generate_clips(subjects=1, repetitions=1, actions=["bow", "hug"], seed=5))
    assert store.names.tolist() == [clip.name for clip in raw]
    np.testing.assert_array_equal(store.clip(4), get_preprocessing("plain", facing=True)(raw[4].xyz, NTU))


def test_equal_seeds_give_stores_of_equal_fingerprint(tmp_path):
    made = {"subjects": 1, "repetitions": 1, "actions": ["wave"]}
    first, again = (generate_store(tmp_path / name, **made, seed=1) for name in ("a", "b"))
    other = generate_store(tmp_path / "c", **made, seed=2)
    assert first.manifest.fingerprint == again.manifest.fingerprint != other.manifest.fingerprint


def test_untrimmed_store_holds_intervals(tmp_path):
    store = generate_store(
        tmp_path / "long", subjects=1, repetitions=1, cameras=[2], untrimmed=True, seconds=20
    )
    (recording,) = generate_recordings(subjects=1, recordings=1, seconds=20, cameras=[2], seed=0)
    assert store.clip_intervals(0) == list(recording.intervals)
    assert len(store.clip(0)) == 600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"actions": ["wave", "fly"]}, "unknown action 'fly'"),
        ({"actions": ["wave", "wave"]}, "only once"),
        ({"cameras": [1, 4]}, "there is no camera 4"),
        ({"cameras": []}, "at least one"),
        ({"subjects": 0}, "`subjects`: is 0; it must be at least 1 and at most 999"),
        ({"repetitions": 1000}, "`repetitions`: is 1000"),
        ({"seed": -1}, "`seed`: is -1"),
        ({"untrimmed": True, "seconds": 5}, "`seconds`: is 5; it must be at least 15"),
        ({"untrimmed": True, "preprocessing": "crossclr"}, "moves frames"),
        ({"preprocessing": "plane"}, "did you mean plain"),
    ],
)
def test_users_mistakes_are_named(tmp_path, arguments, message):
    with pytest.raises(KinemeError, match=message):
        generate_store(tmp_path / "none", **{"subjects": 1, "repetitions": 1} | arguments)
    assert not list(tmp_path.iterdir())
