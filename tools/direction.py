"""What the starting direction of an item token is worth: tools/direction.py [--seeds 0 1 2] -> results/direction/.

The toy shop of the chapter on TMF, in the chapter's own words (its cells are run), with backbones schooled from several seeds. Each is tuned twice, with an item adaptor that starts from the direction that school taught, and with one that starts anywhere. A seed that has its file is not run again.
"""
import argparse
import copy
import json
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT, CHAPTER = ROOT/"results"/"direction", ROOT/"nbs"/"4_llm"/"05_tmf.ipynb"


def chapter(seed):
    "What the chapter knows once its toy shop stands, its backbone schooled from `seed`"
    cells = ["".join(c["source"]) for c in json.loads(CHAPTER.read_text(encoding="utf-8"))["cells"] if c["cell_type"]=="code"]
    hidden, toy = next(c for c in cells if c.startswith("#| hide")), next(c for c in cells if "tmf, log = rung(" in c)
    from tmf_nb.llm import tmf as module
    for old in ("list_steps=30)", "tmf, log = rung("):
        if toy.count(old)!=1: raise SystemExit(f"{CHAPTER.name}: {old!r} is not in its toy shop once")
    space = dict(vars(module), copy=copy)
    exec(hidden+"\n"+toy.replace("list_steps=30)", f"list_steps=30, seed={seed})").replace("tmf, log = rung(", "tune = lambda base: rung("), space)
    return space


def main():
    import numpy as np
    import torch
    from tmf_nb.data.core import run_record, save_json
    from tmf_nb.data.metrics import generation_metrics, hits_at
    from tmf_nb.llm.tmf import FusionAlone
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    for seed in p.parse_args().seeds:
        path, t = OUT/f"two-circles-s{seed}.json", time.time()
        if path.exists(): continue
        s = chapter(seed)
        lost, cases, right, found = copy.deepcopy(s["base"]), s["test"].cases, s["answers"], {}
        lost.model.config.tmf_mark = None
        for name, base in (("schooled", s["base"]), ("anywhere", lost)):
            m, log = s["tune"](base)
            found[name] = dict(written=generation_metrics(m.generate(cases)[1], right), pointer=float(hits_at(m.score(cases), right).mean()), alone=float(hits_at(FusionAlone(m).score(cases), right).mean()), steps=len(log))
        save_json(path, run_record("direction", "two circles", "TMF, tiny", seed, len(cases), {k: x["written"]["hr1_all"] for k, x in found.items()}, s["shop"].hash, time.time()-t, row=f"seed {seed}", found=found, lesson=float(np.mean(s["schooling"][-20:])), threads=torch.get_num_threads()))
        print(f"seed {seed}: " + "; ".join(f"{k}: written {x['written']['hr1_all']:.2f}, pointer {x['pointer']:.2f}, alone {x['alone']:.2f}" for k, x in found.items()) + f"; {time.time()-t:.0f} s", flush=True)


if __name__ == "__main__": main()
