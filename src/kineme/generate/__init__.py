"""The built-in motion generator: labelled skeletons without a data set.

People of different builds and habits perform a catalogue of actions in front of three cameras, alone or in
pairs. Joint-angle programs drive a kinematic body, and a sensor model adds the errors of a Kinect v2. Every
clip has its own random generator, seeded by subject, action, repetition and camera, so it does not depend on
what else is generated.
"""

from kineme.generate.actions import ACTIONS, Action
from kineme.generate.performances import generate_clips, generate_recordings
from kineme.generate.stores import generate_store

__all__ = ["ACTIONS", "Action", "generate_clips", "generate_recordings", "generate_store"]
