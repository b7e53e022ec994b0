"""Learning curves of each way to train the language model, on the demo Storefront: tools/objectives.py [--seeds 0 1 2] [--ways NAME ...] -> results/objectives/.

Features, backbone, shop and questions are those of tools/table3.py, which prepares them where they are missing. A way that has its file is not run again.
The clock runs while a model is trained and stands still while it is judged.
"""
import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

from table3 import WORK, encoded, prepare, scene

OUT = Path(__file__).resolve().parent.parent/"results"/"objectives"
POINTS = (25, 50, 100, 200, 300, 400, 500)


def main():
    from tmf_nb.studies.objectives import WAYS
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), metavar="NAME", help=", ".join(WAYS))
    p.add_argument("--cases", type=int, default=100, help="questions of each department and kind")
    a = p.parse_args()
    path = lambda w, s: OUT/f"storefront-demo-{w}-s{s}.json"
    todo = [(s, w) for s in a.seeds for w in a.ways if not path(w, s).exists()]
    if not todo: return
    import numpy as np
    import torch
    from tmf_nb.data.core import run_record, save_json
    from tmf_nb.data.metrics import generation_metrics, hits_at
    from tmf_nb.encoders.features import ItemFeatures
    from tmf_nb.llm.backbone import load_backbone
    from tmf_nb.llm.tmf import TMF, FusionAlone, TMFCfg, fit, generate, score, warm_fusion
    from tmf_nb.llm.trainer import processes
    from tmf_nb.practice.run import RunCfg, resting, tuning
    shop, data, split, sets = scene()
    cases = {kind: [c for k, s in sets.items() if k.endswith(kind) for c in s.cases[:a.cases]] for kind in ("random", "hard")}
    right = {k: np.array([c.answer for c in v]) for k, v in cases.items()}
    warmed = {}
    for seed, w in todo:
        if not encoded(seed) or not (WORK/f"s{seed}"/"backbone"/"config.json").exists(): prepare(seed)
        label, what, instead = WAYS[w]
        cfg = RunCfg(seed=seed, steps=POINTS[-1])
        how = replace(tuning(cfg, "cma"), **instead)
        b = load_backbone(str(WORK/f"s{seed}"/"backbone"))
        b.name = "tiny"
        tmf = TMF(b, ItemFeatures.load(WORK/f"s{seed}"/"features.safetensors"), data.catalog.names, data.behaviors, TMFCfg(**dict(warm=cfg.warm, align=resting(cfg, how.steps), noise=cfg.noise, seed=seed) | what)).to(processes().device)
        if seed not in warmed:
            warm_fusion(tmf, data, split, cfg.warm, seed=seed)
            warmed = {seed: {k: v.clone() for k, v in tmf.state_dict().items() if k.startswith(("fusion.", "match."))}}
        tmf.load_state_dict(warmed[seed], strict=False)
        alone = {k: hits_at(FusionAlone(tmf).score(c), right[k]) for k, c in cases.items()}
        curve, clock = [], dict(spent=0., since=time.perf_counter(), step=0)

        def look(n=1, note=""):
            clock["step"] += n
            if clock["step"] not in POINTS: return
            clock["spent"] += time.perf_counter()-clock["since"]
            at = dict(step=clock["step"], cases=clock["step"]*how.batch, seconds=round(clock["spent"], 2))
            for k, c in cases.items():
                ways = dict(likelihood=hits_at(score(tmf, c, by="likelihood"), right[k]))
                if hasattr(tmf, "pointer"): ways["pointer"] = hits_at(score(tmf, c, by="pointer"), right[k])
                at[k] = {n: float(x.mean()) for n, x in ways.items()} | dict(written=generation_metrics(generate(tmf, c)[1], right[k]))
                at[k]["per_case"] = {n: [round(float(h), 4) for h in x] for n, x in ways.items()}
            curve.append(at)
            print(f"seed {seed}  {label:40s} step {at['step']:4d}  {at['seconds']:6.0f} s  " + "  ".join(f"{k}: " + ", ".join(f"{n} {v:.3f}" for n, v in at[k].items() if isinstance(v, float)) + f", valid {at[k]['written']['valid_ratio']:.3f}" for k in cases), flush=True)
            tmf.train()
            clock["since"] = time.perf_counter()

        t = time.time()
        fit(tmf, data, split, how, tick=look)
        last = curve[-1]
        save_json(path(w, seed), run_record("objectives", "storefront-demo", label, seed, len(right["random"]), {k: {n: v for n, v in last[k].items() if n!="per_case"} for k in cases}, data.hash, time.time()-t, row=w, curve=curve, steps=POINTS[-1], batch=how.batch,
                  fusion_alone={k: dict(hr1=float(x.mean()), per_case=[round(float(h), 4) for h in x]) for k, x in alone.items()}, candidates_hash={k: s.hash for k, s in sets.items()}, threads=torch.get_num_threads(), load=round(os.getloadavg()[0], 2)))


if __name__ == "__main__": main()
