"""Tables of the terminal, at any width, and the same rows as CSV or JSON."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from reeltune.cli.options import printable

if TYPE_CHECKING:
    from rich.table import Table as RichTable
    from rich.text import Text

    from reeltune.evaluation.compare import Interval

    Cell = str | Text | tuple[str, str]

PARAMS_WIDTH = 24
"""Least room for searched values, in characters; other columns are left out before they have less."""

SHORT_NAMES = {
    "embedding_dim": "emb",
    "hidden_dim": "hid",
    "n_layers": "layers",
    "embedding_dropout": "emb_drop",
    "dropout": "drop",
    "learning_rate": "lr",
    "weight_decay": "decay",
    "batch_size": "batch",
    "label_smoothing": "smooth",
    "history_length": "history",
    "count_prior": "prior",
    "n_negatives": "neg",
    "ema_decay": "ema",
}
"""Names of searched values where the full ones do not fit; others lose their vowels but the first letter."""


def short_value(value: Any) -> str:
    """Return a value in few characters.

    >>> short_value(0.00123456), short_value("gru")
    ('0.00123', 'gru')
    """
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def short_time(seconds: float) -> str:
    """Return a duration in few characters.

    >>> short_time(75), short_time(9.4), short_time(7300)
    ('1m15s', '9s', '2h01m')
    """
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def short_params(params: Mapping[str, Any]) -> str:
    """Return the searched values in one line, by the last part of their names.

    >>> short_params({"model.hidden_dim": 64, "training.learning_rate": 0.00123456})
    'hidden_dim 64  learning_rate 0.00123'
    """
    return "  ".join(f"{name.rpartition('.')[2]} {short_value(value)}" for name, value in params.items())


def fit_params(params: Mapping[str, Any], usual: Mapping[str, Any], width: int) -> str:
    """Return those of ``params`` that differ from the ``usual`` ones in at most ``width`` characters.

    Names are shortened first; then values are left out from the end, and their number is given.

    >>> params = {"model.hidden_dim": 64, "model.dropout": 0.5, "training.learning_rate": 0.004}
    >>> fit_params(params, {"model.dropout": 0.5}, 40)
    'hidden_dim 64  learning_rate 0.004'
    >>> fit_params(params, {}, 24), fit_params(params, {}, 3), fit_params(params, params, 40)
    ('hid 64  drop 0.5  +1', '+3', 'default')
    """
    changed = {name: value for name, value in params.items() if usual.get(name, ...) != value}
    if params and not changed:
        return "default" if width >= len("default") else ""
    text = short_params(changed)
    if len(text) <= width:
        return text
    parts = [f"{_short_name(name)} {short_value(value)}" for name, value in changed.items()]
    for n_shown in range(len(parts), -1, -1):
        rest = [f"+{len(parts) - n_shown}"] if n_shown < len(parts) else []
        text = "  ".join(parts[:n_shown] + rest)
        if len(text) <= width:
            return text
    return ""


def _short_name(name: str) -> str:
    last = name.rpartition(".")[2]
    return SHORT_NAMES.get(last) or last[0] + "".join(letter for letter in last[1:] if letter not in "aeiou")


class Table:
    """Rows whose figures are never cut.

    Where the terminal is too narrow, intervals are left out (the second text of a cell that has two is shown
    then), next whole columns in the order of ``spare``; searched values take what room is left. A name in the
    first column is cut only when nothing else is left to give way.

    Args:
        heads: Headings; the first column is flush left.
        spare: Headings of columns that may be left out, the first one first.
        left: Further columns that are flush left.
        params: Whether each row ends in searched values.
    """

    def __init__(
        self, *heads: str, spare: Sequence[str] = (), left: Sequence[str] = (), params: bool = False
    ) -> None:
        self._heads, self._spare, self._left, self._has_params = heads, spare, {heads[0], *left}, params
        self._rows: list[tuple[tuple[Cell, ...], Mapping[str, Any], Mapping[str, Any], str | None]] = []

    def add(
        self,
        *cells: Cell,
        params: Mapping[str, Any] | None = None,
        usual: Mapping[str, Any] | None = None,
        style: str | None = None,
    ) -> None:
        """Add a row: a cell a heading, the searched values and the default ones, and a rich style."""
        self._rows.append((cells, params or {}, usual or {}, style))

    def render(self, width: int | None) -> tuple[RichTable, list[str]]:
        """Return the table in ``width`` characters, None for no limit, and what was left out of it."""
        from rich.table import Table as RichTable
        from rich.text import Text

        is_short, shown = False, list(range(len(self._heads)))
        left_out: list[str] = []
        least = PARAMS_WIDTH + 2 if self._has_params else 0
        spare = [head for head in self._spare if head in self._heads]
        while width is not None and self._width(shown, is_short=is_short) + least > width:
            if not is_short and self._has_intervals(shown):
                is_short = True
                left_out.append("intervals")
            elif spare:
                left_out.append(spare.pop(0))
                shown.remove(self._heads.index(left_out[-1]))
            else:
                break
        table = RichTable(box=None, pad_edge=False, header_style="bold")
        taken = self._width(shown, is_short=is_short)
        for index in shown:
            head = self._heads[index]
            own = self._width([index], is_short=is_short)
            if index == 0 and width is not None:
                own = max(own - max(taken + least - width, 0), 1)  # a long title is cut, a figure is not
            justify: Literal["left", "right"] = "left" if head in self._left else "right"
            table.add_column(head, justify=justify, width=own, no_wrap=True, overflow="ellipsis")
        room = 10_000 if width is None else width - taken - 2
        if self._has_params:
            table.add_column("changed from the default" if room >= 24 else "changed", no_wrap=True)
        for cells, params, usual, style in self._rows:
            texts = [_text(cells[index], is_short=is_short) for index in shown]
            if self._has_params:
                texts.append(Text(printable(fit_params(params, usual, room))))
            table.add_row(*texts, style=style)
        return table, left_out

    def _has_intervals(self, shown: list[int]) -> bool:
        return any(isinstance(row[0][index], tuple) for row in self._rows for index in shown)

    def _width(self, shown: list[int], *, is_short: bool) -> int:
        from rich.cells import cell_len

        columns = (
            max(
                cell_len(self._heads[index]),
                *(_text(row[0][index], is_short=is_short).cell_len for row in self._rows),
                0,
            )
            for index in shown
        )
        return sum(columns) + 2 * (len(shown) - 1)


def _text(cell: Cell, *, is_short: bool) -> Text:
    from rich.text import Text

    if isinstance(cell, tuple):
        cell = cell[is_short]
    return Text(printable(cell)) if isinstance(cell, str) else cell


def interval_cell(metric: Interval) -> tuple[str, str]:
    """Return a figure with its interval, and without it."""
    return f"{metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f})", f"{metric.value:.4f}"


def print_table(table: Table) -> None:
    """Print ``table`` as wide as the terminal, or without a limit into a pipe; say what was left out."""
    from rich.console import Console

    console = Console()
    drawn, left_out = table.render(console.width if console.is_terminal else None)
    if not console.is_terminal:
        console = Console(width=10_000)  # a pipe has no edge to fold at
    console.print(drawn)
    if left_out:
        print(f"left out for want of room: {', '.join(left_out)}")


def print_json(value: Any) -> None:
    """Print ``value`` as indented JSON; characters that would steer a terminal are escaped."""
    print(printable(json.dumps(value, indent=2, ensure_ascii=False)))


def print_plain(
    rows: Iterable[Mapping[str, Any]], *, as_json: bool, as_csv: bool, whole: Mapping[str, Any] | None = None
) -> bool:
    """Print what ``--json`` or ``--csv`` asks for, and return whether one of them was given.

    CSV has a line a row and a column a field, nested ones by dotted name. JSON has the rows, or ``whole``
    where there is more to say.

    Raises:
        UserError: Both are given.
    """
    from reeltune.errors import UserError
    from reeltune.tuning.space.search_space import flatten

    if as_json and as_csv:
        raise UserError("--json and --csv are two forms of one output; choose one")
    if as_json:
        print_json(list(rows) if whole is None else whole)
    if not as_csv:
        return as_json
    flat = [flatten(row) for row in rows]
    writer = csv.DictWriter(
        sys.stdout, list(dict.fromkeys(name for row in flat for name in row)), lineterminator="\n"
    )
    writer.writeheader()
    for row in flat:
        writer.writerow({name: printable(v) if isinstance(v, str) else v for name, v in row.items()})
    return True
