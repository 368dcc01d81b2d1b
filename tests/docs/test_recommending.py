"""The commands of the page on recommendations run as they stand, on a small study."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from reeltune.cli.app import main

PAGE = Path(__file__).parents[2] / "docs" / "recommending.md"
TITLES = {
    "Toy Story (1995)": "Synthetic Film 003",
    "Fargo (1996)=4.5": "Synthetic Film 004=4.5",
    "GoldenEye (1995)": "Synthetic Film 005",
}


@pytest.mark.slow
def test_the_commands_run_in_their_order(
    study_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    study_dir.rename(study_dir.with_name("ml100k_gru"))
    monkeypatch.setenv("REELTUNE_STUDIES", str(study_dir.parent))
    (tmp_path / "ratings.csv").write_text(
        "Const,Your Rating,Date Rated,Title,Year\ntt1,9,2021-01-02,Synthetic Film 003,\n"
        "tt2,4,2021-01-01,Synthetic Film 007,\n"
    )
    (tmp_path / "users.csv").write_text("user,title,rating\na,Synthetic Film 003,4\nb,Synthetic Film 009,\n")
    n_run = 0
    for block in re.findall(r"```bash\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            words = [TITLES.get(word, word) for word in shlex.split(line, comments=True)]
            monkeypatch.setattr("sys.argv", words)
            with pytest.raises(SystemExit) as caught:
                main()
            said = capsys.readouterr()
            assert not caught.value.code, f"{line}\n{said.err}"
            n_run += 1
    assert n_run == 13
    assert pd.read_parquet("lists.parquet")["user"].nunique() == 2
    assert (tmp_path / "bundles" / "ml100k_gru" / "reranking.json").exists()
