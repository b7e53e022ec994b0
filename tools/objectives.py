"""Learning curves on the demo Storefront: tools/objectives.py [--seeds 0 1 2] [--ways NAME ...] -> results/objectives/, or with --study curves -> results/curves/.

`objectives` compares ways to train the language model; `curves` one way with more or less of something: rank of LoRA, layers, training questions.
Features, backbone and shop are those of tools/table3.py, which prepares them where they are missing. Settings are chosen by what is seen here, so the questions are validation questions.
A way that has its file is not run again. The clock runs while a model is trained and stands still while it is judged.
"""
import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

from table3 import WORK, encoded, prepare, scene

OUT = Path(__file__).resolve().parent.parent/"results"
POINTS = (25, 50, 100, 200, 300, 400, 500)          # steps after which tiny is looked at; a pretrained backbone, by its own number of steps, at the same shares


def learn(seed, way, data, split, cases, warmed):
    "Train one way and look at it now and then"
    import numpy as np
    from tmf_nb.data.metrics import generation_metrics, hits_at
    from tmf_nb.encoders.features import ItemFeatures
    from tmf_nb.llm.backbone import load_backbone
    from tmf_nb.llm.tmf import TMF, FusionAlone, TMFCfg, fit, generate, score, warm_fusion
    from tmf_nb.llm.trainer import processes
    from tmf_nb.practice.run import RunCfg, rank, resting, spelling, tuning, warming
    if not encoded(seed) or not (WORK/f"s{seed}"/"backbone"/"config.json").exists(): prepare(seed)
    label, run, model, optim, share = way["label"], way.get("run", {}), way.get("model", {}), way.get("optim", {}), way.get("share", 1.)
    cfg = RunCfg(seed=seed, **run)
    how = replace(tuning(cfg, "cma"), **optim)
    points = [max(1, how.steps*p//POINTS[-1]) for p in way.get("points", POINTS)]
    b = load_backbone(str(WORK/f"s{seed}"/"backbone") if cfg.backbone=="tiny" else cfg.backbone, cfg.depth)
    b.name = cfg.backbone
    base = dict(backbone=cfg.backbone, depth=cfg.depth, warm=cfg.warm, align=resting(cfg, how.steps), noise=cfg.noise, spell=spelling(cfg, 'cma'), lora_r=rank(cfg, 'cma'), lora_alpha=2*rank(cfg, 'cma'), seed=seed)
    tmf = TMF(b, ItemFeatures.load(WORK/f"s{seed}"/"features.safetensors"), data.catalog.names, data.behaviors, TMFCfg(**base | model)).to(processes().device)
    if share<1: split = replace(split, train=split.train[np.sort(np.random.default_rng([seed, 47]).permutation(len(split.train))[:int(share*len(split.train))])])
    if (seed, share) not in warmed:
        warm_fusion(tmf, data, split, warming(cfg, len(split.train)), seed=seed)
        warmed.clear()
        warmed[seed, share] = {k: v.clone() for k, v in tmf.state_dict().items() if k.startswith(("fusion.", "match."))}
    tmf.load_state_dict(warmed[seed, share], strict=False)
    right = {k: np.array([c.answer for c in v]) for k, v in cases.items()}
    alone = {k: hits_at(FusionAlone(tmf).score(c), right[k]) for k, c in cases.items()}
    curve, clock = [], dict(spent=0., since=time.perf_counter(), step=0)

    def look(n=1, note=""):
        clock["step"] += n
        if clock["step"] not in points: return
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

    fit(tmf, data, split, how, tick=look)
    return dict(curve=curve, steps=how.steps, batch=how.batch, questions=len(split.train), fusion_alone={k: dict(hr1=float(x.mean()), per_case=[round(float(h), 4) for h in x]) for k, x in alone.items()})


def main():
    from tmf_nb.data.core import run_record, save_json
    from tmf_nb.studies.objectives import MORE, WAYS
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--study", default="objectives", choices=["objectives", "curves"])
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--ways", nargs="+", metavar="NAME", help="objectives: " + ", ".join(WAYS) + "; curves: " + ", ".join(MORE))
    p.add_argument("--cases", type=int, default=100, help="questions of each department and kind")
    a = p.parse_args()
    known = dict(objectives=WAYS, curves=MORE)[a.study]
    odd = [w for w in a.ways or () if w not in known]
    if odd: p.error(f"--ways {odd[0]}: not one of {', '.join(known)}")
    path = lambda w, s: OUT/a.study/f"storefront-demo-{w}-s{s}.json"
    todo = [(s, w) for s in a.seeds for w in sorted(a.ways or known, key=lambda w: known[w].get("share", 1.)) if not path(w, s).exists()]
    if not todo: return
    import torch
    shop, data, split, sets = scene("valid")
    cases, warmed = {kind: [c for k, s in sets.items() if k.endswith(kind) for c in s.cases[:a.cases]] for kind in ("random", "hard")}, {}
    for seed, w in todo:
        t = time.time()
        got = learn(seed, known[w], data, split, cases, warmed)
        last = {k: {n: v for n, v in got["curve"][-1][k].items() if n!="per_case"} for k in cases}
        save_json(path(w, seed), run_record(a.study, "storefront-demo", known[w]["label"], seed, len(cases["random"]), last, data.hash, time.time()-t, row=w, asked="valid", candidates_hash={k: s.hash for k, s in sets.items()}, threads=torch.get_num_threads(), load=round(os.getloadavg()[0], 2), **got))


if __name__ == "__main__": main()
