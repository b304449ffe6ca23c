"""What a command found, as a table; in a narrow terminal, where columns would be cut, as a list."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

NARROW = 60  # columns of a terminal, below which there is no room for a table


def show_listing(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, texts: Collection[str]
) -> None:
    """Prints rows of what was found.

    Args:
        title: above them.
        columns: their headings.
        rows: a text for each column; in a list, empty ones are left out.
        texts: columns that are aligned left and may be folded; others hold figures.
    """
    console = Console()
    if console.width < NARROW:
        console.print(escape(title), style="bold", highlight=False)
        listed = Table.grid(padding=(0, 1))
        for row in rows:
            told = ", ".join(f"{name} {text}" for name, text in zip(columns, row, strict=True) if text)
            listed.add_row("-", escape(told))
        console.print(listed)
        return
    table = Table(box=SIMPLE_HEAD, title=escape(title), title_justify="left", title_style="bold")
    for name in columns:
        folds = name in texts
        table.add_column(name, justify="left" if folds else "right", overflow="fold" if folds else "ellipsis")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)
