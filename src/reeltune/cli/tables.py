"""Plain tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["make_table", "print_table"]


def make_table(first: str, *headings: str) -> Table:
    """Return a table without lines; the first column is text, the others are figures."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (first, *headings):
        table.add_column(heading, justify="left" if heading == first else "right", no_wrap=True)
    return table


def print_table(table: Table) -> None:
    """Print ``table`` as wide as the terminal, or without folding into a pipe.

    Where it is too wide, a last column that may be cut gives way, not the figures before it.
    """
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)  # a pipe has no edge to fold at
    *others, last = table.columns
    if last.overflow == "ellipsis":
        taken = sum(2 + max(len(str(cell)) for cell in (column.header, *column.cells)) for column in others)
        last.max_width = max(console.width - taken, len(str(last.header)))
    console.print(table)
