"""The parts of an HTML page that fetches nothing: style and script are inside, a policy forbids the rest.

`Markup` is HTML already; every other value that goes into a page is escaped on its way.
"""

import html
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["Markup", "columns", "escaped", "figure", "folded", "page", "paragraph", "section", "table"]

POLICY: Final = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
"""A browser that reads this page loads nothing from anywhere, whatever is in it."""

STYLE: Final = """
:root { --ink: #1f2933; --muted: #66727f; --line: #e1e5ea; --soft: #f6f8fa; --accent: #0072B2; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; color: var(--ink); background: white;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
header { border-bottom: 1px solid var(--line); padding-bottom: 20px; }
h1 { font-size: 1.9rem; line-height: 1.25; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 1.25rem; margin: 52px 0 10px; }
h3 { font-size: 1rem; margin: 28px 0 8px; }
p { margin: 8px 0; max-width: 72ch; }
.muted, .note { color: var(--muted); }
.note { font-size: 0.92rem; }
.answers { display: grid; gap: 16px; margin: 18px 0;
  grid-template-columns: repeat(auto-fit, minmax(255px, 1fr)); }
.answer { border: 1px solid var(--line); border-top: 3px solid var(--accent); border-radius: 4px;
  padding: 16px 18px; }
.answer h3 { margin: 0; font-weight: 500; color: var(--muted); }
.answer .figure { font-size: 1.75rem; font-weight: 650; line-height: 1.3; }
.answer p { margin: 4px 0 0; font-size: 0.92rem; }
.answer.open { border-top-color: #9aa5b1; }
.answer.open .figure { font-size: 1.3rem; }
.columns { display: grid; gap: 0 48px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); }
.columns h3 { margin-top: 14px; }
.columns table { min-width: 100%; }
.scroll { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; font-size: 0.93rem; min-width: 50%; }
th, td { padding: 6px 18px 6px 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--muted); white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre { font: 0.9em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
pre { background: var(--soft); border: 1px solid var(--line); border-radius: 4px; padding: 12px 16px;
  overflow-x: auto; }
td code { overflow-wrap: anywhere; }
figure { margin: 12px 0 0; }
figcaption { color: var(--muted); font-size: 0.92rem; max-width: 76ch; }
details { margin: 12px 0; }
summary { cursor: pointer; color: var(--accent); }
footer { margin-top: 56px; border-top: 1px solid var(--line); padding-top: 14px; color: var(--muted);
  font-size: 0.88rem; }
@media (max-width: 600px) {
  main { padding: 24px 14px 48px; }
  h1 { font-size: 1.5rem; }
  h2 { margin-top: 38px; }
  th, td { white-space: nowrap; }
}
@media print {
  main { max-width: none; padding: 0; }
  h2, h3 { break-after: avoid; }
  figure, .answer, tr { break-inside: avoid; }
  .modebar-container { display: none; }
  .scroll, pre { overflow: visible; white-space: pre-wrap; }
}
"""


class Markup(str):
    """HTML that may go into a page as it is."""


def escaped(value: object) -> Markup:
    """Any value as HTML.

    >>> escaped("<script>"), escaped(Markup("<br>"))
    ('&lt;script&gt;', '<br>')
    """
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def page(title: str, heading: Iterable[Markup], body: Iterable[Markup], script: str) -> str:
    """A whole document.

    Args:
        title: For the browser's tab.
        heading: What stands above the line.
        body: What stands below it.
        script: JavaScript for the head; it goes in as it is and must be trusted.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(title)}</title>
<style>{STYLE}</style>
<script>{script}</script>
</head>
<body>
<main>
<header>
{_lines(heading)}
</header>
{_lines(body)}
</main>
</body>
</html>
"""


def section(heading: str, *content: Markup) -> Markup:
    """A part of the page under its heading."""
    return Markup(f"<section>\n<h2>{escaped(heading)}</h2>\n{_lines(content)}\n</section>")


def paragraph(text: object, css: str = "") -> Markup:
    """A paragraph, with a class of the style sheet."""
    return Markup(f'<p class="{css}">{escaped(text)}</p>' if css else f"<p>{escaped(text)}</p>")


def figure(drawing: Markup, caption: object) -> Markup:
    """A drawing with what it shows in words."""
    return Markup(f"<figure>\n<figcaption>{escaped(caption)}</figcaption>\n{drawing}\n</figure>")


def folded(summary: str, content: Markup) -> Markup:
    """Something that few want to see, behind a line to click."""
    return Markup(f"<details>\n<summary>{escaped(summary)}</summary>\n{content}\n</details>")


def columns(*parts: Markup) -> Markup:
    """Parts side by side, one below the other on a narrow screen."""
    return Markup(f'<div class="columns">\n{"".join(f"<div>{part}</div>" for part in parts)}\n</div>')


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Sequence[int] = ()) -> Markup:
    """A table that scrolls by itself on a narrow screen.

    Args:
        headings: One a column.
        rows: Cells, one a heading.
        numbers: Columns that are aligned to the right.
    """

    def line(tag: str, cells: Sequence[object]) -> str:
        return "".join(
            f'<{tag} class="number">{escaped(cell)}</{tag}>' if place in numbers else f"<{tag}>{escaped(cell)}</{tag}>"
            for place, cell in enumerate(cells)
        )

    body = "\n".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return Markup(
        f'<div class="scroll"><table>\n<thead><tr>{line("th", headings)}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _lines(parts: Iterable[Markup]) -> Markup:
    return Markup("\n".join(parts))
