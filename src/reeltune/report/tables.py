"""One table kit: the same rows as text, HTML, Markdown, CSV or LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from reeltune.evaluation.compare import Interval


class Html(str):
    """A cell that is markup already; other forms than HTML show its text alone."""

    __slots__ = ()


Cell = object
"""Text, a number, an :class:`Interval`, :class:`Html`, or None where nothing is known."""

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


def interval_text(figure: Interval) -> str:
    """Return a figure with its interval.

    >>> interval_text(Interval(0.25, 0.2, 0.3))
    '0.2500 (0.2000 to 0.3000)'
    """
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"


@dataclass(frozen=True)
class Table:
    """Headings and rows; a cell is text, a number, an interval, or None where nothing is known."""

    heads: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kinds: tuple[str, ...] = ()
    """Class of each row on a page, such as ``best``, which is set in bold elsewhere too; empty for none."""
    digits: str = ".4f"
    """Format of a plain float."""

    def cells(self) -> list[list[str]]:
        """Return every cell as plain text."""
        return [[self._text(cell) for cell in row] for row in self.rows]

    def text(self) -> str:
        """Return aligned columns; the first is flush left, the others right.

        >>> print(Table(("model", "NDCG@10"), (("GRU", 0.25), ("popularity", 0.1))).text())
        model       NDCG@10
        GRU          0.2500
        popularity   0.1000
        """
        lines = [list(self.heads), *self.cells()]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.heads))]
        return "\n".join(
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
            for line in lines
        )

    def markdown(self) -> str:
        r"""Return a GitHub table.

        >>> print(Table(("model", "ok"), (("a|b", 1),), kinds=("best",)).markdown())
        | model | ok |
        | --- | --- |
        | **a\|b** | 1 |
        """
        rows = [[cell.replace("|", "\\|") for cell in row] for row in self.cells()]
        for row, kind in zip(rows, self.kinds, strict=False):
            if kind == "best":
                row[0] = f"**{row[0]}**"
        lines = [list(self.heads), ["---" for _ in self.heads], *rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)

    def html(self, *, is_dense: bool = False, is_sortable: bool = False) -> str:
        """Return a table that scrolls where the page is narrow; a sortable one has buttons as headings."""
        kinds = (*self.kinds, *[""] * (len(self.rows) - len(self.kinds)))
        is_number = [
            any(_is_number(row[c]) for row in self.rows) and all(not _is_word(row[c]) for row in self.rows)
            for c in range(len(self.heads))
        ]
        heads = "".join(
            f'<th class="{"number" if number else ""}">'
            + (f'<button type="button">{escape(head)}</button>' if is_sortable else escape(head))
            + "</th>"
            for head, number in zip(self.heads, is_number, strict=True)
        )
        body = "".join(
            f'<tr class="{kind}">{"".join(self._html_cell(cell) for cell in row)}</tr>'
            for kind, row in zip(kinds, self.rows, strict=True)
        )
        return (
            f'<div class="scroll" tabindex="0"><table{" class=dense" if is_dense else ""}><thead>'
            f"<tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def csv(self) -> str:
        """Return comma-separated values in full precision; an interval takes three columns.

        >>> print(Table(("model", "hr"), (("GRU", Interval(0.25, 0.2, 0.3)),)).csv(), end="")
        model,hr,hr_low,hr_high
        GRU,0.25,0.2,0.3
        """
        wide = [any(isinstance(row[c], Interval) for row in self.rows) for c in range(len(self.heads))]
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            name
            for head, is_wide in zip(self.heads, wide, strict=True)
            for name in ([head, f"{head}_low", f"{head}_high"] if is_wide else [head])
        )
        for row in self.rows:
            writer.writerow(
                value
                for cell, is_wide in zip(row, wide, strict=True)
                for value in (_plain(cell, 3) if is_wide else _plain(cell, 1))
            )
        return file.getvalue()

    def latex(self) -> str:
        r"""Return a ``tabular`` with the rules of the package booktabs.

        >>> print(Table(("model", "HR@10"), (("A & B", 0.25),), kinds=("best",)).latex(), end="")
        \begin{tabular}{lr}
        \toprule
        model & HR@10 \\
        \midrule
        \textbf{A \& B} & \textbf{0.2500} \\
        \bottomrule
        \end{tabular}
        """
        lines = []
        for place, row in enumerate(self.cells()):
            is_best = self.kinds[place : place + 1] == ("best",)
            words = [f"\\textbf{{{_latex(cell)}}}" if is_best and cell else _latex(cell) for cell in row]
            lines.append(" & ".join(words) + r" \\")
        head = " & ".join(map(_latex, self.heads)) + r" \\"
        columns = "l" + "r" * (len(self.heads) - 1)
        parts = [f"\\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule", *lines]
        return "\n".join([*parts, r"\bottomrule", r"\end{tabular}"]) + "\n"

    def _text(self, cell: Cell) -> str:
        if isinstance(cell, Html):
            return re.sub(r"<[^>]*>", "", cell)
        if isinstance(cell, Interval):
            return interval_text(cell)
        if isinstance(cell, float):
            return format(cell, self.digits)
        return "" if cell is None else str(cell)

    def _html_cell(self, cell: Cell) -> str:
        if isinstance(cell, Html):
            return f"<td>{cell}</td>"
        text = escape(self._text(cell))
        if _is_number(cell):
            value = cell.value if isinstance(cell, Interval) else cell
            return f'<td class="number" data-value="{value}">{text}</td>'
        return f"<td>{text}</td>" if text else '<td data-value="">-</td>'


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, int | float | Interval) and not isinstance(cell, bool)


def _is_word(cell: Cell) -> bool:
    return isinstance(cell, str) and bool(cell)


def _plain(cell: Cell, n: int) -> Sequence[Cell]:
    if isinstance(cell, Interval):
        return cell.value, cell.low, cell.high
    plain = re.sub(r"<[^>]*>", "", cell) if isinstance(cell, Html) else cell
    return [plain, *[None] * (n - 1)]


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
