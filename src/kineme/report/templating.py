"""The report's templates."""

from __future__ import annotations

from kineme.clips.published import counted
from kineme.drawing.templating import Templates

TEMPLATES = Templates("kineme.report")
TEMPLATES.environment.filters["counted"] = counted
render = TEMPLATES.render
