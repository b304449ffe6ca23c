"""The report's templates."""

from __future__ import annotations

from kineme.drawing.templating import Templates
from kineme.words import counted

TEMPLATES = Templates("kineme.report")
TEMPLATES.environment.filters["counted"] = counted
render = TEMPLATES.render
