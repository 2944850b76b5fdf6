"""Write `docs/api.md` from the docstrings of what `import fewest` gives: `python docs/make_api.py`."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fewest
from fewest.search.answers.answer import Answer, NoAnswer, TargetAnswer
from fewest.search.answers.summary import FrontMember, TestAccuracy

PAGE = Path(__file__).with_name("api.md")

OPENING = """# From Python

Made by `python docs/make_api.py` from the docstrings. `import fewest` gives these names, and loads TensorFlow only when
it is needed.
"""


RECORDS = (TargetAnswer, Answer, NoAnswer, FrontMember, TestAccuracy)
"""What a `StudyAnswer` holds; frozen."""


def page() -> str:
    """Return the page: a section for each public function and class, one for each method, one for each record."""
    sections = [OPENING]
    for name in fewest.__all__:
        public = getattr(fewest, name)
        if inspect.isclass(public) and public.__module__.startswith("fewest.api"):
            sections.append(_section(f"## `fewest.{name}`", f"{name}{_signature(public)}", public))
            sections += [
                _section(f"### `{name}.{label}`", called, member) for label, called, member in _members(public)
            ]
        elif inspect.isfunction(public):
            sections.append(_section(f"## `fewest.{name}`", f"{name}{_signature(public)}", public))
        elif inspect.isclass(public):
            sections.append(f"## `fewest.{name}`\n\n{_first_line(public)}\n")
    for record in RECORDS:
        called = f"from {record.__module__} import {record.__name__}"
        sections.append(_section(f"## `{record.__name__}`", called, record))
        sections += [
            _section(f"### `{record.__name__}.{label}`", label, member)
            for label, _, member in _members(record)
            if isinstance(member, property)
        ]
    return "\n".join(sections)


def _members(public: type) -> Iterator[tuple[str, str, Any]]:
    """Yield the methods and properties that a class defines itself: name, how it is called, and what it is."""
    for name, member in vars(public).items():
        if name == "__getitem__":
            yield name, "answer[target]", member
        elif not name.startswith("_") and (inspect.isfunction(member) or hasattr(member, "__set_name__")):
            yield name, f"{name}{_signature(member)}", member
        elif isinstance(member, property) and not name.startswith("_"):
            yield name, name, member


def _signature(public: Any) -> str:
    """Return a signature with types as they are written; nothing for a property."""
    return str(inspect.signature(public)).replace("self, ", "").replace("(self)", "()") if callable(public) else ""


def _section(heading: str, called: str, public: Any) -> str:
    return f"{heading}\n\n```python\n{called}\n```\n\n```text\n{inspect.getdoc(public)}\n```\n"


def _first_line(public: Any) -> str:
    return (inspect.getdoc(public) or "").split("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    PAGE.write_text(page())
