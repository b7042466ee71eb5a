"""Pages: tables of Markdown and CSV as HTML that stands on its own."""

import pytest

from sparsitysolver.cli import main
from sparsitysolver.reporting.pages.html import html_of_markdown


def test_markdown_table_keeps_digits_and_alignment():
    text = html_of_markdown("**T**\n\n| Method | m |\n|:--|--:|\n| Ours (Recon) | 34.10 |\n\n- (1) svd_llm_update: no")
    assert "<strong>T</strong>" in text
    assert '<td style="text-align:right">34.10</td>' in text
    assert "<li>(1) svd_llm_update: no</li>" in text


def test_tags_in_texts_are_shown_and_not_obeyed(tmp_path):
    assert "<script>" not in html_of_markdown("a <script>alert(1)</script>")
    (tmp_path / "claims.csv").write_text('claim,low\n"a < b, <script>",-0.50\n')
    assert main(["report", "html", str(tmp_path / "claims.csv"), "--out", str(tmp_path / "out.html")]) == 0
    page = (tmp_path / "out.html").read_text()
    assert "<td>a &lt; b, &lt;script&gt;</td>" in page
    assert "<td>-0.50</td>" in page
    assert "<title>claims</title>" in page
    assert "http" not in page


@pytest.mark.parametrize(("name", "words"), [("none.md", "no file"), ("page.txt", "neither Markdown")])
def test_other_files_are_refused(tmp_path, capsys, name, words):
    (tmp_path / "page.txt").write_text("x")
    assert main(["report", "html", str(tmp_path / name), "--out", str(tmp_path / "out.html")]) == 2
    assert words in capsys.readouterr().err
