"""Run one notebook with nbdev's own test runner, and hold what its cells give against what is saved: tools/test_nb.py NOTEBOOK.

A cell whose saved output differs in kind from what it gives now (text, table, figure, none), or has other words than what its source prints now, fails the notebook: it was saved by other code. Numbers may differ, and words that do not stand in the source. Warnings on stderr do not count, nor do cells that settings.ini flags as slow.
"""
import re
import sys
from pathlib import Path

import nbdev.test
from nbdev.config import get_config

WORD = r"[^\W\d_]{3,}"


def kinds(outputs):
    "What a reader sees: the kinds of what is displayed, in any order, and text once if there is any (nbdev's shell gives printed text first)"
    out = []
    for o in outputs:
        if o["output_type"] == "stream":
            if o["name"] == "stderr" or not "".join(o["text"]).strip(): continue
            k = "text"
        else: k = "+".join(sorted(o.get("data", {}))) or o["output_type"]
        if k != "text" or k not in out: out.append(k)
    return sorted(out)


def words(outputs):
    "The words that a reader sees, of three letters or more, without tags and colours"
    text = [o["text"] for o in outputs if o["output_type"]=="stream" and o["name"]!="stderr"] + [t for o in outputs for kind, t in o.get("data", {}).items() if kind in ("text/html", "text/markdown", "text/plain")]
    return set(re.findall(WORD, re.sub(r"<[^>]*>|\x1b\[[\d;]*[A-Za-z]", " ", "\n".join("".join(t) for t in text))))


def stale(source, was, now):
    "Words of a cell's source that its output has now and the saved one has not, where that has others instead which are in neither: whoever saved it ran another source"
    here, was, now = set(re.findall(WORD, source)), words(was), words(now)
    gone = [w for w in was - now - here if not any(n.startswith(w) for n in now)]                            # a narrow table cuts words
    return sorted((now - was) & here) if gone else []


class Shell(nbdev.test.CaptureShell):
    "nbdev's shell, which remembers where what is saved and what came differ"
    odd = []

    def cell(self, cell, **kw):
        if cell.cell_type != "code": return
        saved, cell.outputs = cell.get("outputs", []), []
        super().cell(cell, **kw)
        was, now, last = kinds(saved), kinds(cell.outputs), cell.source.strip().splitlines()[-1][:80] if cell.source.strip() else ""
        if self.exc: return
        if was != now: self.odd.append(f"cell {cell.idx_}: saved {was or 'nothing'}, now {now or 'nothing'}: {last}")
        elif missing := stale(cell.source, saved, cell.outputs): self.odd.append(f"cell {cell.idx_}: saved without {', '.join(missing)}, printed now: {last}")


def run(nb):
    "Whether a notebook passes; says what it does"
    nbdev.test.CaptureShell = Shell
    nb = Path(nb).resolve()
    ok, seconds = nbdev.test.test_nb(nb, skip_flags=get_config().tst_flags.split(), do_print=True)
    for line in Shell.odd: print(f"{nb.name}, {line}", flush=True)
    print(("Success." if ok and not Shell.odd else "Failed.") + f" {seconds:.1f} s", flush=True)
    return ok and not Shell.odd


def apart(nb, said):
    "Run a notebook in this process, which is its own; what it says goes to a file"
    import multiprocessing, os, warnings
    warnings.simplefilter("ignore")
    multiprocessing.set_start_method("fork", force=True)     # as in a process that nobody forked
    with open(said, "w") as f:
        for k in (1, 2): os.dup2(f.fileno(), k)
    sys.exit(0 if run(nb) else 1)


if __name__ == "__main__": sys.exit(0 if run(sys.argv[1]) else 1)
