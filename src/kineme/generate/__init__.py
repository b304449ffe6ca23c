"""The built-in motion generator: labelled skeletons for everyone without a data set.

People of different build and habits perform a catalogue of actions in front of three cameras, alone or in
pairs. Joint-angle programs drive a kinematic body; a model of the sensor adds what Kinect v2 adds. Every clip
is drawn from its own generator, seeded by what the clip is (subject, action, repetition, camera), so that it
stays the same whatever else is generated beside it.
"""

from kineme.generate.actions import ACTIONS, Action
from kineme.generate.performances import generate_clips, generate_recordings
from kineme.generate.stores import generate_store

__all__ = ["ACTIONS", "Action", "generate_clips", "generate_recordings", "generate_store"]
