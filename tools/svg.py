"""Plain SVG for the documentation: text that stays readable on a phone, light and dark, and told to screen readers."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

WIDTH = 480
"""Narrow, so that letters stay large enough where a phone shows the whole picture."""

_STYLE = (
    "svg{background:#fff}text{font:14px sans-serif;fill:#222}.faint{fill:#666}.inside{fill:#fff}.small{font-size:12px}"
    ".end{text-anchor:end}.mid{text-anchor:middle}.a{fill:#2f6fb3;stroke:#2f6fb3}.b{fill:#b3562f;stroke:#b3562f}"
    ".c{fill:#7a7a7a;stroke:#7a7a7a}.open{fill:none;stroke-width:2;stroke-dasharray:4 3}"
    ".lent{fill-opacity:.55;stroke-dasharray:4 3}.axis{stroke:#bbb}.start{stroke:#222;stroke-width:2}"
    ".wait{stroke:#555;stroke-width:2;stroke-dasharray:2 4}.mark{fill:#222;stroke:none}"
    "@media (prefers-color-scheme:dark){svg{background:#1b1b1b}text{fill:#ddd}.faint{fill:#aaa}.inside{fill:#111}"
    ".a{fill:#6ba6e8;stroke:#6ba6e8}.b{fill:#e88f6b;stroke:#e88f6b}.c{fill:#9a9a9a;stroke:#9a9a9a}.open{fill:none}"
    ".axis{stroke:#555}.start{stroke:#ddd}.wait{stroke:#aaa}.mark{fill:#ddd}}"
)


def picture(title: str, told: str, height: float, parts: Iterable[str]) -> str:
    """A whole picture; `told` says in words what it shows."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:g}" '
            f'viewBox="0 0 {WIDTH} {height:g}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(told)}</desc>',
            f"<style>{_STYLE}</style>",
            *parts,
            "</svg>\n",
        ]
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Some words; `kind` are classes such as `faint end`."""
    return f'<text x="{x:.1f}" y="{y:.1f}"{_class(kind)}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str) -> str:
    """A filled box."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" rx="2"{_class(kind)}/>'


def line(x: float, y: float, to_x: float, to_y: float, kind: str) -> str:
    """A straight line."""
    return f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}"{_class(kind)}/>'


def dot(x: float, y: float) -> str:
    """A small disc."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="mark"/>'


def diamond(x: float, y: float) -> str:
    """A small diamond."""
    return f'<path d="M{x - 6:.1f} {y:.1f}l6 -6l6 6l-6 6z" class="mark"/>'


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
