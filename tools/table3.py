"""The paper's Table 3 on the demo Storefront, department by department: tools/table3.py [--seeds 0 1 2] [--rows NAME ...] [--jobs N] -> results/table3/.

A row that has its file in results/table3/ is not run again; a row that was interrupted goes on from its last checkpoint.
"""
import argparse
import os
import subprocess
import sys
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT, WORK, CASES = ROOT/"results"/"table3", ROOT/"runs"/"table3", 500
RUNGS = ("text", "behavior", "amsa", "cma")
CONTROLS = {"shuffled-pictures": ["image"], "shuffled-graph": ["graph"], "shuffled-all": ["image", "text", "graph"]}    # the whole model, with the vectors of these modalities dealt out anew among the items, each item getting those of one other
LONGER = {"text-longer": ("text", 2)}                                    # a rung with so many times the steps
WHOLE = {"text-whole": "text", "behavior-whole": "behavior"}             # a rung that tunes all weights of the tiny backbone, which has read nothing, instead of LoRA's
LOOSE = {"amsa-loose": "amsa", "cma-loose": "cma"}                         # a rung whose fusion, attention and all, goes on learning fifty times as fast as by default
CURES = {"cma-cooler": dict(warm=1500), "cma-warmer": dict(warm=6000), "cma-bought": dict(spell="bought"), "cma-no-align": dict(align=0)}   # the whole model under other settings
ALL = (*RUNGS, *CONTROLS, *LONGER, *WHOLE, *LOOSE, *CURES)
CHEAP = ("oracle", "popularity", "graph", "sasrec", "sasrec-target", "gru4rec-target")
path = lambda row, seed: OUT/f"storefront-demo-{row}-s{seed}.json"
missing = lambda rows, seed: [r for r in rows if not path(r, seed).exists()]
encoded = lambda seed: not missing(CHEAP, seed) and (WORK/f"s{seed}"/"features.safetensors").exists()


def scene(ask="test"):
    "The shop, its split, and the questions of each department, from the split's `ask` rows"
    from tmf_nb.data.candidates import draw, leave_last_out
    from tmf_nb.data.storefront import make_storefront
    shop = make_storefront("demo")
    data = shop.dataset()
    split = leave_last_out(data)
    rows = getattr(split, ask)
    of = shop.truth.department.to_numpy()[data.log.items[rows[:, 1]]]
    sets = {f"{d}/{kind}": draw(data, rows[of==d], limit=CASES, kind=kind, name=d.lower(), skip=True) for d in shop.cfg.departments for kind in ("random", "hard")}
    return shop, data, split, sets


def encode(seed):
    "The features that all rows of a seed share, and the rows that cost little"
    from tmf_nb.data.ceiling import Oracle
    from tmf_nb.data.core import Stages
    from tmf_nb.practice.run import Ladder, Popularity, RunCfg, SASRecCfg, item_features, train_sasrec
    from tmf_nb.rivals import sequential
    from tmf_nb.rivals.sequential import train_sequential
    shop, data, split, sets = scene()
    where, cfg, stages = WORK/f"s{seed}", RunCfg(seed=seed), Stages()
    where.mkdir(parents=True, exist_ok=True)
    ladder, cheap = Ladder(sets, where, stages), missing(CHEAP, seed)
    for kind, row in (("SASRec", "sasrec-target"), ("GRU4Rec", "gru4rec-target")):          # as published: on purchases alone
        if row not in cheap: continue
        t, m = time.time(), train_sequential(getattr(sequential, kind), data, split, SASRecCfg(seed=seed, seconds=60., only_target=True, behaviors=False), choose=False)
        ladder.add(row, m, time.time()-t, label=f"{kind} on purchases, 60 s", epochs=len(m.log))
        keep(ladder.rows[row], row, seed, data, sets)
    cheap = missing(CHEAP, seed)
    if not cheap and (where/"features.safetensors").exists(): return
    feats, graph = item_features(cfg, data, split, stages)
    feats.save(where/"features.safetensors")
    if not cheap: return
    see = {"text and behaviours": {"text", "behavior"}, "everything": {"text", "behavior", "image", "graph"}, "no pictures": {"text", "behavior", "graph"}, "no graph": {"text", "behavior", "image"}}
    ladder.add("oracle", Oracle(shop), ceilings={k: {n: shop.ceiling(s.cases, x).expected for n, x in see.items()} for k, s in sets.items()})
    ladder.add("popularity", Popularity(data, split))
    ladder.add("graph", graph, stages.seconds["train the graph encoder"])
    t = time.time()
    ladder.add("sasrec", train_sasrec(data, split, SASRecCfg(seed=seed, seconds=60.)), time.time()-t)
    for r in cheap: keep(ladder.rows[r], r, seed, data, sets)


def prepare(seed):
    "Everything that must be there before rows of a seed may run side by side"
    from tmf_nb.data.core import Stages
    from tmf_nb.practice.run import RunCfg, start, tiny_for
    start(RunCfg(seed=seed), WORK/f"s{seed}", resume=True, asked={})
    if not encoded(seed): encode(seed)
    shop, data, split, sets = scene()
    for rung in ("text", "cma"): tiny_for(RunCfg(seed=seed), data, split, WORK/f"s{seed}", Stages(), rung)


def climb_one(row, seed):
    "Train and judge one rung or control"
    import numpy as np
    import torch
    from tmf_nb.data.core import Stages
    from tmf_nb.encoders.features import ItemFeatures
    from tmf_nb.practice.run import RANK, WORDS, Ladder, RunCfg, chosen, climb, start, tiny_for
    start(RunCfg(seed=seed), WORK/f"s{seed}", resume=True, asked={})      # what was half trained under other settings is not gone on with
    shop, data, split, sets = scene()
    where, cfg, stages = WORK/f"s{seed}", RunCfg(seed=seed), Stages()
    feats, rung = ItemFeatures.load(where/"features.safetensors"), row
    if row in CONTROLS:
        rung = "cma"
        deal = torch.from_numpy(np.random.default_rng([seed, 3]).permutation(len(data.catalog)))
        feats = replace(feats, **{f: getattr(feats, f)[deal] for m in CONTROLS[row] for f in (m, f"has_{m}")})
    if row in CURES: rung, cfg = "cma", replace(cfg, **CURES[row])
    rung, cfg = WHOLE.get(row, rung), replace(cfg, lora_r=0 if row in WHOLE else RANK)
    if row in LOOSE: rung, cfg = LOOSE[row], replace(cfg, lr_fusion=5e-4)
    if row in LONGER:
        rung, times = LONGER[row]
        cfg = replace(cfg, steps=times*WORDS["tiny"])
    (where/row).mkdir(exist_ok=True)
    ladder = Ladder(sets, where/row, stages)
    climb(cfg, rung, tiny_for(cfg, data, split, where, stages, rung), feats, data, split, ladder, True, True)
    if "fusion" not in ladder.rows: ladder.old("fusion")
    alone = {k: v["metrics"] for k, v in ladder.rows["fusion"]["sets"].items()} if "fusion" in ladder.rows else None
    keep(ladder.rows[rung], row, seed, data, sets, fusion_alone=alone, settings=dict(chosen(cfg)[rung], lora_r=cfg.lora_r, schedule=cfg.schedule, objective=cfg.objective, warm=cfg.warm, noise=cfg.noise))


def keep(r, row, seed, data, sets, **more):
    from tmf_nb.data.core import run_record, save_json
    from tmf_nb.studies.table3 import ROWS
    import torch
    pooled = {kind: sum(s["metrics"]["hits"] for k, s in r["sets"].items() if k.endswith(kind))/sum(s["metrics"]["n"] for k, s in r["sets"].items() if k.endswith(kind)) for kind in ("random", "hard")}
    n = sum(len(s) for s in sets.values())
    save_json(path(row, seed), run_record("table3", "storefront-demo", ROWS.get(row, r["label"]), seed, n, {f"hr1 {k}": v for k, v in pooled.items()}, data.hash, r["seconds"], row=row, sets={k: dict(metrics=s["metrics"], per_case=s["per_case"], candidates_hash=sets[k].hash) for k, s in r["sets"].items()},
              ceilings=r.get("ceilings"), steps=r["steps"], epochs=r.get("epochs"), threads=torch.get_num_threads(), **more))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--rows", nargs="+", default=[*ALL], choices=[*ALL], metavar="ROW", help=", ".join(ALL))
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="rows that run side by side, each with its share of the cores")
    p.add_argument("--one", nargs=2, metavar=("ROW", "SEED"), help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one:
        row, seed = a.one[0], int(a.one[1])
        return prepare(seed) if row=="prepare" else climb_one(row, seed)
    threads = str(max(1, (os.cpu_count() or 1)//a.jobs))
    shared = lambda s: encoded(s) and all((WORK/f"s{s}"/b/"config.json").exists() for b in ("backbone", "backbone-words"))
    todo = deque([("prepare", s) for s in a.seeds if missing(a.rows, s) and not shared(s)] + [(r, s) for s in a.seeds for r in missing(a.rows, s)])
    print(f"{len(todo)} tasks to do, {a.jobs} side by side", flush=True)
    running, failed = {}, []
    while todo or running:
        ready = [t for t in todo if t[0]=="prepare" or ("prepare", t[1]) not in [*todo, *running]]
        while ready and len(running)<a.jobs:
            t = ready.pop(0)
            todo.remove(t)
            log = WORK/"logs"/f"{t[0]}-s{t[1]}.txt"
            log.parent.mkdir(parents=True, exist_ok=True)
            running[t] = (subprocess.Popen([sys.executable, __file__, "--one", t[0], str(t[1])], stdout=log.open("a"), stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": threads}), time.time(), log)
        time.sleep(1)
        for t, (job, since, log) in list(running.items()):
            if job.poll() is None: continue
            del running[t]
            print(f"{t[0]} seed {t[1]}: {'done' if job.returncode==0 else f'failed, see {log}'} after {time.time()-since:.0f} s", flush=True)
            if job.returncode:
                failed.append(t)
                if t[0]=="prepare": todo = deque(x for x in todo if x[1]!=t[1])
    sys.exit(1 if failed else 0)


if __name__ == "__main__": main()
