"""The one page style: the frame of a report, its sections, and how it words numbers."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

from reeltune.evaluation.compare import Interval
from reeltune.report.svg import number


def page(title: str, parts: Iterable[str], *, has_script: bool = False) -> str:
    """Return an HTML page that opens without a network."""
    return string.Template(_asset("report.html")).substitute(
        title=escape(f"{title} - reeltune"),
        css=_asset("report.css"),
        body="\n".join(part for part in parts if part),
        script=_asset("report.js") if has_script else "",
    )


def head(eyebrow: str, title: str, verdict: str, aside: str, *, is_good: bool, rest: str = "") -> str:
    """Return the header: what is reported, its question and its verdict, green where that is good."""
    kind = "yes" if is_good else "no"
    return (
        f'<header><p class="eyebrow">{escape(eyebrow)}</p><h1>{escape(title)}</h1>'
        f'<div class="verdict {kind}"><strong>{escape(verdict)}</strong><span>{escape(aside)}</span></div>'
        f"{rest}</header>"
    )


def section(title: str, body: str, *, is_long: bool = False) -> str:
    """Return a section under its heading; a long one may be broken over pages in print."""
    return f"<section{' class=long' if is_long else ''}><h2>{escape(title)}</h2>{body}</section>"


def note(text: str) -> str:
    """Return a paragraph in small print."""
    return f'<p class="note">{escape(text)}</p>'


def items(lines: Sequence[str]) -> str:
    """Return sentences as a list, nothing for none."""
    return f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>" if lines else ""


def bullets(lines: Sequence[str]) -> str:
    """Return sentences as a list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def figure(caption: str, svg: str) -> str:
    """Return a figure with its caption."""
    return f'<figure>{svg}<figcaption class="note">{escape(caption)}</figcaption></figure>'


def facts_list(facts: Mapping[str, Any]) -> str:
    """Return names and values as a list of two columns."""
    cells = "".join(f"<dt>{escape(k)}</dt><dd>{escape(number(v))}</dd>" for k, v in facts.items())
    return f'<dl class="facts">{cells}</dl>'


def sentence(verdict: str) -> str:
    """Return a verdict that begins a sentence, its p-value on one line."""
    text = verdict[:1].upper() + verdict[1:]
    for sign in "=<":
        text = text.replace(f"p {sign} ", f"p\N{NO-BREAK SPACE}{sign}\N{NO-BREAK SPACE}")
    return text


def signed(difference: Interval) -> str:
    """Return a difference with its sign and interval."""
    return f"{difference.value:+.4f} (95 % interval {difference.low:+.4f} to {difference.high:+.4f})"


def times(n: int) -> str:
    """Return how often, in words."""
    return "once" if n == 1 else f"{n} times"


def duration(seconds: float) -> str:
    """Return a time in words."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _asset(name: str) -> str:
    return resources.files("reeltune.report").joinpath(name).read_text(encoding="utf-8").strip()
