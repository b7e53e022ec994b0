"A notebook whose saved outputs are of another kind than what its cells give, or were printed by another source, is reported, and no other"
import subprocess
import sys
from pathlib import Path

import nbformat.v4 as v4
import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = lambda t: v4.new_output("stream", name="stdout", text=t)


def ran(tmp_path, *cells):
    "What tools/test_nb.py says of a notebook of (source, outputs)"
    f = tmp_path/"made.ipynb"
    f.write_text(__import__("nbformat").writes(v4.new_notebook(cells=[v4.new_code_cell(s, outputs=o) for s, o in cells], metadata=dict(kernelspec=dict(name="python3", language="python", display_name="python3")))))
    r = subprocess.run([sys.executable, ROOT/"tools"/"test_nb.py", f], capture_output=True, text=True, cwd=ROOT)
    return r.returncode, r.stdout+r.stderr


@pytest.mark.parametrize("source, saved, odd", [
    ("print(1)", [TEXT("0\n")], False),                                                          # another number is no other kind
    ("print(1)", [], True),
    ("x = 1", [TEXT("1\n")], True),
    ("import sys; print(1, file=sys.stderr)", [], False),                                        # warnings come and go
    ("1+1", [v4.new_output("execute_result", data={"text/plain": "2"}, execution_count=1)], False),
    ("1+1", [v4.new_output("execute_result", data={"text/plain": "2", "text/html": "2"}, execution_count=1)], True),
    ("print('two minus one')", [TEXT("two less one\n")], True),                                   # another wording
    ("print('two minus one')", [TEXT("\x1b[1mtwo\x1b[0m \x1b[1mminus\x1b[0m one\n")], False),     # in bold
    ("a, b = 'words', 'pictures'; print(a)", [TEXT("pictures\n")], False),                        # another branch of the same source
    ("print('app'+'le')", [TEXT("pear\n")], False),                                         # made, not written
    ("#| slow\nprint(1)", [], False),                                                            # what is skipped is not compared
])
def test_saved_outputs(tmp_path, source, saved, odd):
    code, said = ran(tmp_path, (source, saved))
    assert code == odd and ("now" in said) == odd, said


def test_a_failing_cell_fails(tmp_path):
    code, said = ran(tmp_path, ("print(1)", [TEXT("1\n")]), ("assert 0", []))
    assert code == 1 and "AssertionError" in said
