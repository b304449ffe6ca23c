"""How detection goes when nothing is said, as cross-validation over training people found it.

Apart from the rest, so that a command line can tell them without loading what computes.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["centred", "tokens"]
Rule = Literal["A", "B"]

KIND: Kind = "centred"  # windows of which every frame is the centre
WINDOW = 64  # frames, in all three papers
NEIGHBOURS = 4  # on either side, from which the class of a frame is read as well
RULE: Rule = "A"  # of segments
