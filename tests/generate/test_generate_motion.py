"""The generator's people and programs: motion is smooth, plausible, personal."""

import numpy as np
import pytest

from kineme.generate import ACTIONS
from kineme.generate.anatomy import CONTROLS, LAYOUT
from kineme.generate.people import draw_person
from kineme.generate.performer import Performer

JOINT = {name: index for index, name in enumerate(LAYOUT.joints)}
ACTION = {action.name: action for action in ACTIONS}


def performers(action, seed=0, number=3):
    gap = {"near": 1.0, "far": 2.8}.get(action.before[0], 0.0)
    cast = []
    for role in range(action.bodies):
        person = draw_person(np.random.default_rng([seed, number, role]))
        performer = Performer(person, np.random.default_rng([seed, role]), gap)
        performer.begin("seated" if action.before == ("seated",) else "standing")
        cast.append(performer)
    return cast


def perform(name, seed=0, number=3):
    """Performers and their (T, V, 3) joints, each on its own stage."""
    cast = performers(ACTION[name], seed, number)
    ACTION[name].perform(*cast)
    return cast, [p.render(round(30 * max(p.time for p in cast))) for p in cast]


@pytest.mark.parametrize("name", list(ACTION))
def test_every_action_is_smooth_with_feet_on_the_floor(name):
    for seed in range(3):
        _, bodies = perform(name, seed)
        for joints in bodies:
            assert np.isfinite(joints).all()
            assert 1.0 < len(joints) / 30 < 9.0
            assert joints[..., 1].min() > 0.0
            ankles = joints[:, [JOINT["left_ankle"], JOINT["right_ankle"]], 1]
            if name not in ("jump up", "jumping jack", "stretch"):
                assert ankles.min(axis=1).max() < 0.1
            speed = 30 * np.linalg.norm(np.diff(joints, axis=0), axis=-1)
            assert speed[:, JOINT["spine_base"]].max() < 3.5
            assert speed.max() < 18  # a hand tip in a throw


@pytest.mark.parametrize("action", [a for a in ACTIONS if a.after in (None, "near")], ids=lambda a: a.name)
def test_an_action_that_changes_nothing_ends_as_it_began(action):
    for performer in (cast := performers(action, seed=1)):
        performer.begin("standing")
    action.perform(*cast)
    for p in cast:
        moved = {name for name in CONTROLS[3:] if abs(p.now[name] - p.start[name]) > 1e-9}
        assert not moved


def test_sitting_and_standing_lead_to_each_other():
    (p,) = performers(ACTION["sit down"])
    standing = dict(p.now)
    ACTION["sit down"].perform(p)
    assert p.now["drop"] > 0.35
    ACTION["stand up"].perform(p)
    assert p.now == pytest.approx(standing)


def test_clapping_hands_meet_and_a_hand_comes_to_the_head():
    for seed in range(4):
        _, (joints,) = perform("clap", seed)
        apart = np.linalg.norm(joints[:, JOINT["left_hand"]] - joints[:, JOINT["right_hand"]], axis=-1)
        assert apart.min() < 0.08
        (p,), (joints,) = perform("touch head", seed)
        hand = JOINT["left_hand" if p.person.left_handed else "right_hand"]
        assert np.linalg.norm(joints[:, hand] - joints[:, JOINT["head"]], axis=-1).min() < 0.2


def test_shaken_hands_are_right_hands_and_meet_in_the_middle():
    for number in range(6):
        _, (left, right) = perform("shake hands", number=number)
        right = right * [-1, 1, -1] + [0, 0, -1.0]  # the other stands a metre ahead and faces the first
        apart = np.linalg.norm(left[:, JOINT["right_hand"]] - right[:, JOINT["right_hand"]], axis=-1)
        assert apart.min() < 0.25


def test_people_who_walk_towards_each_other_arrive_together():
    (a, b), (left, right) = perform("walk towards")
    walked = -left[-1, 0, 2] - right[-1, 0, 2]
    assert 2.8 - walked == pytest.approx(a.gap, abs=0.15)
    assert a.gap == b.gap < 1.3


def test_left_handers_mirror():
    people = [draw_person(np.random.default_rng(seed)) for seed in range(60)]
    left_handed = [person.left_handed for person in people]
    assert 3 <= sum(left_handed) <= 20
    for number in (left_handed.index(True), left_handed.index(False)):
        p = Performer(people[number], np.random.default_rng(0))
        ACTION["wave"].perform(p)
        highest = p.render(round(30 * p.time))[..., 1].max(axis=0)
        side, other = ("left", "right") if people[number].left_handed else ("right", "left")
        assert highest[JOINT[f"{side}_hand"]] > highest[JOINT[f"{other}_hand"]] + 0.2


def test_people_differ_in_build_and_each_keeps_its_own():
    heights = [draw_person(np.random.default_rng(seed)).body.height for seed in range(50)]
    assert 0.05 < np.std(heights) < 0.15
    assert draw_person(np.random.default_rng(3)) == draw_person(np.random.default_rng(3))


def test_a_person_does_it_alike_each_time_but_never_the_same():
    def bow(person, execution):
        p = Performer(draw_person(np.random.default_rng(person)), np.random.default_rng(execution))
        p.habits = np.random.default_rng(person)
        ACTION["bow"].perform(p)
        return max(strokes["bend"] for *_, strokes in p._moves if "bend" in strokes)

    depths = np.array([[bow(person, execution) for execution in range(8)] for person in range(12)])
    assert (depths.std(axis=1) > 0).all()
    assert depths.std(axis=1).mean() < 0.7 * depths.mean(axis=1).std()
