"""How long, and on what, to warm up the fusion of a small shop: tools/warmup.py FOLDER [--seeds 0 1 2] -> results/warmup/.

FOLDER is data as `tmf_nb demo --data` takes it. The fusion alone is judged, on validation questions, after every length of warm-up. A seed that has its file is not run again.
"""
import argparse
import time
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent/"results"/"warmup"
LENGTHS = (150, 600, 2400)


def measure(folder, seed):
    "Every length for both kinds of questions, and the graph encoder beside them"
    import numpy as np
    from tmf_nb.data.candidates import first_touches
    from tmf_nb.data.core import Stages
    from tmf_nb.data.metrics import hits_at
    from tmf_nb.llm.backbone import TinyCfg, make_tiny
    from tmf_nb.llm.tmf import TMF, FusionAlone, TMFCfg, warm_fusion
    from tmf_nb.practice.run import RunCfg, item_features, load_data, questions, warming
    cfg = RunCfg(data=folder, seed=seed, world=0, ask="valid", evaluate=1000)
    data = load_data(cfg)
    split, sets = questions(data, cfg)
    cases = sets["valid"].cases
    right = np.array([c.answer for c in cases])
    features, graph = item_features(cfg, data, split, Stages())
    asks = dict(purchases=split.train, touches=first_touches(data, split))
    arms = {}
    for name, q in asks.items():
        for n in LENGTHS:
            tmf = TMF(make_tiny(data.catalog.names, cfg=TinyCfg(width=32, layers=1, heads=2, list_steps=0)), features, data.catalog.names, data.behaviors, TMFCfg(warm=n, seed=seed))
            t = time.perf_counter()
            warm_fusion(tmf, data, split, n, seed=seed, questions=q)
            hits = hits_at(FusionAlone(tmf).score(cases), right)
            arms[f"{name}-{n}"] = dict(steps=n, on=name, seconds=round(time.perf_counter()-t, 1), hr1=float(hits.mean()), per_case=[round(float(h), 4) for h in hits])
            print(f"seed {seed}  {name:10s} {n:5d} steps  HR@1 {hits.mean():.3f}", flush=True)
    alone = hits_at(graph.score(cases), right)
    return data, sets["valid"], dict(arms=arms, questions={k: len(q) for k, q in asks.items()}, default={k: warming(cfg, len(q)) for k, q in asks.items()}, graph=dict(hr1=float(alone.mean()), per_case=[round(float(h), 4) for h in alone]))


def main():
    from tmf_nb.data.core import run_record, save_json
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folder", type=Path)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    a = p.parse_args()
    for seed in a.seeds:
        path = OUT/f"{a.folder.name}-s{seed}.json"
        if path.exists(): continue
        t = time.time()
        data, asked, got = measure(str(a.folder), seed)
        save_json(path, run_record("warmup", data.name, "fusion alone", seed, len(asked), {k: r["hr1"] for k, r in got["arms"].items()}, data.hash, time.time()-t, row="fusion", asked="valid", candidates_hash=asked.hash, **got))


if __name__ == "__main__": main()
