"""One table kit: each form holds the same rows."""

import csv
import io

import pytest

from reeltune.evaluation.compare import Interval
from reeltune.report.tables import Html, Table

TABLE = Table(
    ("model", "NDCG@10", "trials"),
    (
        ("tuned GRU & <friends>", Interval(0.25, 0.2, 0.3), 16),
        ("a|b_c 100 %", 0.1, None),
        (Html("<b>bold</b>"), None, 1),
    ),
    kinds=("best", "baseline"),
)


def test_html_escapes_all_but_markup_and_sorts_by_values():
    page = TABLE.html(is_sortable=True)
    assert "tuned GRU &amp; &lt;friends&gt;" in page
    assert "<td><b>bold</b></td>" in page
    assert '<td class="number" data-value="0.25">0.2500 (0.2000 to 0.3000)</td>' in page
    assert '<tr class="best">' in page
    assert '<tr class="baseline">' in page
    assert page.count("<button") == 3
    assert '<td data-value="">-</td>' in page


def test_csv_keeps_full_precision_and_the_ends_of_intervals():
    rows = list(csv.reader(io.StringIO(TABLE.csv())))
    assert rows[0] == ["model", "NDCG@10", "NDCG@10_low", "NDCG@10_high", "trials"]
    assert rows[1] == ["tuned GRU & <friends>", "0.25", "0.2", "0.3", "16"]
    assert rows[2] == ["a|b_c 100 %", "0.1", "", "", ""]
    assert rows[3][0] == "bold"


def test_latex_and_markdown_escape_their_own_signs():
    latex = TABLE.latex()
    assert r"a|b\_c 100 \%" in latex
    assert r"\textbf{tuned GRU \& <friends>} & \textbf{0.2500 (0.2000 to 0.3000)}" in latex
    assert latex.count(r"\\") == 4
    markdown = TABLE.markdown().splitlines()
    assert markdown[2].startswith("| **tuned GRU & <friends>** |")
    assert markdown[3].startswith("| a\\|b_c 100 % | 0.1000 |  |")


@pytest.mark.parametrize("digits", [".4f", ".2g"])
def test_text_is_aligned(digits):
    lines = Table(("a", "value"), (("x", 0.123456), ("longer", 7)), digits=digits).text().splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].endswith(format(0.123456, digits))
