"""HTML from templates: names of clips and classes are text and are escaped, only `Markup` is markup."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


class Templates:
    """The templates in a package's folder `templates`, and other files of the package."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.environment = Environment(
            loader=PackageLoader(package),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        as_json = {"ensure_ascii": False, "allow_nan": False, "separators": (",", ":")}
        self.environment.policies["json.dumps_kwargs"] = as_json

    def render(self, template: str, **values: object) -> Markup:
        """Fills in a template; a value that it names and is not given is an error."""
        return Markup(self.environment.get_template(template).render(values))

    def asset(self, name: str) -> Markup:
        """A stylesheet or script of the package, as it is."""
        return Markup(files(self.package).joinpath(name).read_text(encoding="utf-8"))
