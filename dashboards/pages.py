"""Pages of HTML: the environment of their templates. Each page is one file that opens offline."""

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["page_environment"]


def page_environment() -> Environment:
    """Return the environment of the templates in this room: it escapes text, and refuses names that nobody gave."""
    return Environment(
        loader=PackageLoader("fewest.dashboards", package_path=""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
