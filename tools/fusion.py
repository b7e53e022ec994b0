"""What each part of the fusion and its match gives, without a language model, on the demo Storefront: tools/fusion.py [--seeds 0 1 2] [--variants NAME ...] -> results/fusion/.

Features, shop and questions are those of tools/table3.py, which prepares them where they are missing. A variant that has its file is not run again.
"""
import argparse
import copy
import time
from dataclasses import replace
from pathlib import Path

from table3 import WORK, encode, encoded, scene

OUT = Path(__file__).resolve().parent.parent/"results"/"fusion"


def company(tmf, data, split, steps, seed, lr=2e-4, attention=True, batch=96):
    "Train fusion and match on whole questions, with attention between rows; without `attention`, what a warm-up trains, for as long"
    import torch
    from tmf_nb.data.candidates import CaseMaker
    mk = CaseMaker(data, 10, tmf.cfg.max_history, split.visible)
    params = [*(tmf.fusion.parameters() if attention else tmf.fusion.begin()), *tmf.match.parameters()]
    opt = torch.optim.AdamW(params, lr=lr, weight_decay=.05)
    tmf.train()
    for k in range(steps):
        torch.manual_seed(seed*1_000_003+k)
        cases = mk.batch(split.train, batch, seed, 43, k)
        loss = torch.nn.functional.cross_entropy(tmf.see(cases)[2], torch.tensor([c.answer for c in cases], device=tmf.v_image.device))
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.)
        opt.step()
    tmf.eval()


def found(tmf, shop, cases):
    "What the match's questions turned out to be about: adjusted mutual information of each with the shoppers' true profiles, and what Bayes' rule could know of them"
    import numpy as np
    import torch
    from sklearn.metrics import adjusted_mutual_info_score as ami
    from tmf_nb.data.ceiling import Oracle
    about = ["mission", "words", "looks", "crowd"]
    true = {c: shop.profile[c].to_numpy()[[x.user for x in cases]] for c in about}
    oracle = Oracle(shop)
    post = [oracle.profiles(c) for c in cases]
    best = {c: np.array([p.sum(tuple(j for j in range(4) if j!=k)).argmax() for p in post]) for k, c in enumerate(about)}
    with torch.no_grad():
        believed = []
        for k in range(0, len(cases), 128):
            at = tmf.layout(cases[k:k+128])
            w = tmf.match.worth(tmf.fuse(at))[:, :at["history"].shape[1]]
            believed.append(tmf.match.belief(w, at["behaviors"], at["history"]).argmax(-1))
    believed = torch.cat(believed).cpu().numpy()
    return dict(questions=[{c: round(float(ami(true[c], q)), 4) for c in about} for q in believed.T], knowable={c: round(float(ami(true[c], best[c])), 4) for c in about})


def attention(tmf, shop, cases, example):
    "Where candidates look: for each map and fact, attention to history rows that share the fact over attention to those that do not, averaged over cases; and the maps of one case"
    import numpy as np
    import torch
    facts = ("category", "audience", "brand", "colour", "community")
    tmf.eval()
    lift, one = {}, {}
    with torch.no_grad():
        for c in cases:
            _, maps = tmf.fuse(tmf.layout([c]), maps=True)
            h, k = [i for i, _ in c.history], list(c.candidates)
            for m, w in maps.items():
                w = w[0, len(h):, :len(h)].cpu().numpy()
                for f in facts:
                    x = shop.codes[f]
                    same = x[k][:, None]==x[h][None]
                    for r in range(len(k)):
                        if same[r].any() and not same[r].all(): lift.setdefault((m, f), []).append((w[r][same[r]].mean(), w[r][~same[r]].mean()))
        one = {m: np.round(w[0].cpu().numpy(), 5).tolist() for m, w in tmf.fuse(tmf.layout([example]), maps=True)[1].items()}
    return dict(lift={m: {f: round(float(np.mean([a for a, _ in lift[m, f]])/max(np.mean([b for _, b in lift[m, f]]), 1e-9)), 4) for f in facts if (m, f) in lift} for m in one}, maps=one)


def main():
    from tmf_nb.studies.fusion import VARIANTS
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS), metavar="NAME", help=", ".join(VARIANTS))
    p.add_argument("--steps", type=int, default=3000)
    a = p.parse_args()
    path = lambda v, s: OUT/f"storefront-demo-{v}-{a.steps}-s{s}.json"
    todo = [(s, v) for s in a.seeds for v in a.variants if not path(v, s).exists()]
    if not todo: return
    import numpy as np
    import torch
    from tmf_nb.data.candidates import Split
    from tmf_nb.data.core import run_record, save_json
    from tmf_nb.encoders.features import ItemFeatures
    from tmf_nb.fusion.attention import Match
    from tmf_nb.llm.backbone import TinyCfg, make_tiny
    from tmf_nb.llm.trainer import processes
    from tmf_nb.llm.tmf import TMF, FusionAlone, TMFCfg, warm_fusion
    from tmf_nb.practice.run import judge
    from tmf_nb.rivals.ccf import GatedFusion
    from tmf_nb.studies.fusion import InnerProduct
    shop, data, split, sets = scene()
    blank = make_tiny(data.catalog.names, cfg=TinyCfg(width=32, layers=1, heads=2, list_steps=0))
    for seed, v in todo:
        if not encoded(seed): encode(seed)
        feats, how, t = ItemFeatures.load(WORK/f"s{seed}"/"features.safetensors"), dict(VARIANTS[v][1]), time.time()
        if m := how.pop("without", None): feats = replace(feats, **{f"has_{m}": torch.zeros(len(data.catalog), dtype=torch.bool)})
        asked = split
        if n := how.pop("shoppers", None): asked = Split(split.train[split.train[:, 0] < n], split.valid, split.test, split.visible)
        match, gates, together, shelf, pace = how.pop("match", None), how.pop("gates", False), how.pop("company", 0), how.pop("shelf", 512), dict(lr=how.pop("rate", 2e-4), attention=how.pop("attention", True))
        tmf = TMF(copy.deepcopy(blank), feats, data.catalog.names, data.behaviors, TMFCfg(seed=seed, **how)).to(processes().device)
        if gates: tmf.fusion = GatedFusion(tmf.fusion.cfg).to(tmf.v_image.device)
        if match is not None: tmf.match = InnerProduct(tmf.cfg.width, len(data.behaviors)) if match=="inner" else Match(tmf.cfg.width, len(data.behaviors), **match)
        some = [c for k, x in sets.items() if k.endswith("hard") for c in x.cases[:100]]
        example = max(some, key=lambda c: len({i for i, _ in c.history}))
        looks = dict(untrained=attention(tmf, shop, some, example)) if v=="company" else {}
        hits = warm_fusion(tmf, data, asked, a.steps, seed=seed, shelf=shelf)
        if together: company(tmf, data, asked, together, seed, **pace)
        if looks: looks |= dict(trained=attention(tmf, shop, some, example), history=example.history, candidates=example.candidates, answer=example.answer)
        judged = {k: judge(FusionAlone(tmf).score(s.cases), s.cases) for k, s in sets.items()}
        pool = {kind: np.concatenate([r["per_case"] for k, r in judged.items() if k.endswith(kind)]) for kind in ("random", "hard")}
        save_json(path(v, seed), run_record("fusion", "storefront-demo", VARIANTS[v][0], seed, len(pool["random"]), {k: float(x.mean()) for k, x in pool.items()}, data.hash, time.time()-t, row=v, per_case={k: x.tolist() for k, x in pool.items()},
                  candidates_hash={k: s.hash for k, s in sets.items()}, steps=a.steps, attention=looks or None, found=found(tmf, shop, [c for k, x in sets.items() if k.endswith("random") for c in x.cases]) if v in ("full", "one") else None, settings=VARIANTS[v][1], train_hits=float(np.mean(hits[-100:])), threads=torch.get_num_threads()))
        print(f"seed {seed}  {VARIANTS[v][0]:44s} random {pool['random'].mean():.3f}  hard {pool['hard'].mean():.3f}  {time.time()-t:.0f} s", flush=True)


if __name__ == "__main__": main()
