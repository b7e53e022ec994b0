"""AUC and UAUC of collaborative models on yes/no questions: tools/yes_no.py FOLDER [--seeds 0 1 2] [--kinds NAME ...] -> results/yes_no/.

FOLDER is laid out as CoLLM's MovieLens-1M: train.parquet, valid.parquet, items.parquet. Epochs are chosen on the last tenth of the training questions; the validation questions judge. A row that has its file is not run again.
"""
import argparse
import time
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent/"results"/"yes_no"


def main():
    import torch
    from dataclasses import asdict
    from tmf_nb.data.core import load_json, run_record, save_json
    from tmf_nb.rivals.yes_no import KINDS, Averages, CollabCfg, auc, auc_interval, load_collm, train_collab, uauc
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folder", type=Path)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--kinds", nargs="+", default=["averages", *KINDS], choices=["averages", *KINDS])
    a = p.parse_args()
    data = load_collm(a.folder)
    v, cheap = data.valid, Averages(data)
    base = cheap.answer(v)
    for kind in a.kinds:
        for seed in a.seeds if kind!="averages" else [0]:
            path = OUT/f"{data.name}-{kind}-s{seed}.json"
            if path.exists() and load_json(path)["data_hash"]==data.hash: continue
            t, cfg = time.time(), CollabCfg(seed=seed)
            m = cheap if kind=="averages" else train_collab(kind, data, cfg)
            s = base if kind=="averages" else m.answer(v)
            met = dict(auc=auc(s, v.labels), uauc=uauc(s, v.labels, v.users), interval=auc_interval(s, v.labels, v.users)[1:])
            if kind!="averages": met["minus_averages"] = auc_interval(s, v.labels, v.users, base)
            save_json(path, run_record("yes_no", data.name, m.name, seed, len(v), met, data.hash, time.time()-t, row=kind, questions=len(data.train), threads=torch.get_num_threads(), settings={} if kind=="averages" else asdict(cfg), log=getattr(m, "log", [])))
            print(f"{m.name:15s} seed {seed}  AUC {met['auc']:.4f}  UAUC {met['uauc']:.4f}  {time.time()-t:.0f} s", flush=True)


if __name__ == "__main__": main()
