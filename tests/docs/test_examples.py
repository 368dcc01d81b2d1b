"""The notebook and the Python examples of the docs run as they stand."""

import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

import reeltune

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_public_face_loads_what_it_names() -> None:
    for name in reeltune.__all__:
        assert getattr(reeltune, name)
    assert set(reeltune.__all__) <= set(dir(reeltune))
    with pytest.raises(AttributeError, match="tuna"):
        _ = reeltune.tuna


def test_the_face_costs_nothing_until_it_is_used() -> None:
    script = "import sys, reeltune; print({'torch', 'ray', 'lightning', 'fastapi'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of jupyter_client, at the notebook's edge only
def test_the_quick_start_runs(tmp_path: Path) -> None:
    notebook = nbformat.read(DOCS / "quickstart.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells), "commit it without outputs"
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    texts = ["".join(out.get("text", "") for out in cell.get("outputs", [])) for cell in notebook.cells]
    assert any("because of" in text for text in texts)


@pytest.mark.soak
def test_the_python_examples_run_and_the_first_is_short(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "python-api.md").read_text(), re.DOTALL)
    assert sum(bool(line.strip()) for line in blocks[0].splitlines()) < 20
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    said = []
    for number, block in enumerate(blocks):
        script = tmp_path / f"example{number}.py"
        script.write_text(block)
        ended = subprocess.run(
            [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
        assert ended.returncode == 0, ended.stderr
        said.append(ended.stdout)
    assert "because of" in said[0]
    assert "['Nonesuch']" in said[1]
    assert "2 lists" in said[1]
