"""README.md from nbs/index.ipynb: prose, code and plain-text outputs. `--check` compares instead of writing."""
import re
import sys
from pathlib import Path
import nbformat

root = Path(__file__).resolve().parent.parent
def text(nb):
    out = ["<!-- written by tools/readme.py from nbs/index.ipynb; do not edit -->"]
    for c in nb.cells:
        src = c.source.strip()
        if not src or src.startswith(("#| hide", "#| default_exp", "#| exec")): continue
        if c.cell_type == "markdown": out.append(src); continue
        lines = [l for l in src.split("\n") if not l.startswith("#|")]
        if "#| echo: false" not in src: out.append("```python\n" + "\n".join(lines).strip() + "\n```")
        for o in c.outputs:
            data = o.get("data", {})
            if o.output_type == "stream" and o.name == "stdout": out.append("```\n" + o.text.rstrip() + "\n```")
            elif "text/markdown" in data: out.append(data["text/markdown"].strip())
            elif "image/svg+xml" in data or "image/png" in data: continue
            elif "text/plain" in data: out.append("```\n" + data["text/plain"].rstrip() + "\n```")
    return re.sub(r"\]\((?=\d_\w+/|tmf\.svg)", "](nbs/", "\n\n".join(out)) + "\n"

want, file = text(nbformat.read(root/"nbs"/"index.ipynb", 4)), root/"README.md"
if "--check" in sys.argv:
    if not file.exists() or file.read_text(encoding="utf-8") != want: sys.exit("README.md differs from nbs/index.ipynb; run: make readme")
else: file.write_text(want, encoding="utf-8")
