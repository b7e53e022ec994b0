"""AUC and UAUC of collaborative models on yes/no questions: tools/yes_no.py FOLDER [--seeds 0 1 2] [--kinds NAME ...] [--tune] -> results/yes_no/, or with --tune -> results/tuning/.

FOLDER is laid out as CoLLM's MovieLens-1M: train.parquet, valid.parquet, items.parquet. The validation questions judge. A row that has its file is not run again.
A row `readout-KIND` is a logistic regression on that kind's vectors; it says, too, how questions of users go who have no answer in training.
Epochs are chosen on the last tenth of the training questions, and so are the settings: --tune tries those of a grid, and what it finds best is `FILMS` in the chapter.
"""
import argparse
import itertools
import time
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent/"results"
GRID = {
    "mf": dict(lr=(1e-3, 3e-3, 1e-2), decay=(1e-5, 3e-5, 1e-4), std=(.01, .1), dim=(8, 64)), "mf-bias": dict(lr=(1e-3, 3e-3, 1e-2), decay=(1e-5, 3e-5, 1e-4), std=(.01, .1), dim=(8, 64)),
    "lightgcn": dict(lr=(3e-3, 1e-2), decay=(1e-6, 1e-5), std=(.1,), layers=(1, 2)), "sasrec": dict(lr=(1e-3, 3e-3), decay=(1e-5, 1e-4), std=(.02, .1), dropout=(.2, .5))}


def tune(data, kind):
    "Best AUC on the last tenth of the training questions, for every setting of the grid"
    from tmf_nb.rivals.yes_no import CollabCfg, train_collab
    out = []
    for values in itertools.product(*GRID[kind].values()):
        cfg = dict(zip(GRID[kind], values))
        log = [e["auc"] for e in train_collab(kind, data, CollabCfg(**cfg)).log]
        out.append(cfg | dict(auc=max(log), epochs=log.index(max(log))+1))
        print(kind, out[-1], flush=True)
    return sorted(out, key=lambda r: -r["auc"])


def main():
    import torch
    from dataclasses import asdict, replace
    from tmf_nb.data.core import load_json, run_record, save_json
    import numpy as np
    from tmf_nb.rivals.yes_no import FILMS, KINDS, Averages, Readout, auc, auc_interval, load_collm, train_collab, uauc
    every = ["averages", *KINDS, *(f"readout-{k}" for k in KINDS)]
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folder", type=Path)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--kinds", nargs="+", default=every, choices=every, metavar="NAME", help=", ".join(every))
    p.add_argument("--tune", action="store_true", help="settings instead of results, seed 0")
    a = p.parse_args()
    data = load_collm(a.folder)
    if a.tune:
        for kind in a.kinds:
            path, t = OUT/"tuning"/f"{data.name}-{kind}.json", time.time()
            if kind not in KINDS or path.exists() and load_json(path)["data_hash"]==data.hash: continue
            found = tune(data, kind)
            save_json(path, run_record("tuning", data.name, KINDS[kind].name, 0, len(data.train)//10, dict(auc=found[0]["auc"]), data.hash, time.time()-t, row=kind, found=found, threads=torch.get_num_threads()))
        return
    v, cheap = data.valid, Averages(data)
    base, known = cheap.answer(v), np.isin(v.users, data.train.users)
    strangers = dict(users=len(np.unique(v.users)), strange=len(np.unique(v.users[~known])), share=float(1-known.mean()))
    for kind in a.kinds:
        for seed in a.seeds if kind!="averages" else [0]:
            path = OUT/"yes_no"/f"{data.name}-{kind}-s{seed}.json"
            if path.exists() and load_json(path)["data_hash"]==data.hash: continue
            heard = kind.removeprefix("readout-")
            t, cfg = time.time(), None if kind=="averages" else replace(FILMS[heard], seed=seed)
            c = m = cheap if kind=="averages" else train_collab(heard, data, cfg)
            if heard!=kind: m = Readout(data, c)
            s = base if kind=="averages" else m.answer(v)
            met = dict(auc=auc(s, v.labels), uauc=uauc(s, v.labels, v.users), interval=auc_interval(s, v.labels, v.users)[1:])
            if kind!="averages": met["minus_averages"] = auc_interval(s, v.labels, v.users, base)
            if heard!=kind:
                x = c.answer(v)
                met |= dict(minus_product=auc_interval(s, v.labels, v.users, x), strangers=strangers | {n: dict(known=auc(y[known], v.labels[known]), strange=auc(y[~known], v.labels[~known])) for n, y in dict(product=x, readout=s, averages=base).items()})
            save_json(path, run_record("yes_no", data.name, m.name, seed, len(v), met, data.hash, time.time()-t, row=kind, questions=len(data.train), threads=torch.get_num_threads(), settings={} if kind=="averages" else asdict(cfg), log=getattr(c, "log", [])))
            print(f"{kind:17s} seed {seed}  AUC {met['auc']:.4f}  UAUC {met['uauc']:.4f}  {time.time()-t:.0f} s", flush=True)


if __name__ == "__main__": main()
