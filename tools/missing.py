"""What is left when pictures or words are missing: tools/missing.py [--seeds 0 1 2] [--rows NAME ...] -> results/missing/.

The demo Storefront; a fixed share of its items loses pictures, words, or, each drawn for itself, both. Rows named `...@both-0.3` learned with that share missing (the encoders of pictures and words had seen everything); all others learned with everything there, and things go missing only when they are asked.
In the fusion a vector stands for what is missing. It begins at random; in rows named `...-mean`, as the mean of what is there. Only practice moves it.
Features, backbone, shop and questions are those of tools/table3.py, which prepares them where they are missing. A row that has its file is not run again.
"""
import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path

from table3 import WORK, encoded, prepare, scene

OUT = Path(__file__).resolve().parent.parent/"results"/"missing"
SHARES, KINDS = (.1, .3, .5, .7, .9), {"image": ("image",), "text": ("text",), "both": ("image", "text")}
SECONDS = dict(sasrec=60., concat=120., mmsr=240.)       # of training, at most
PRACTICE = {f"{m}{s}": p for m in ("fusion", "tmf") for s, p in (("", 0.), ("-mean", 0.), ("-10", .1), ("-30", .3))}     # modality dropout: share of pictures, and of words, hidden in training
MODELS = ("sasrec", "concat", "mmsr", *PRACTICE)
TRAINED = tuple(f"{m}@{k}-{s:g}" for s in (*SHARES, 1.) for k in KINDS for m in ("concat", "mmsr", "fusion", "fusion-10"))


def hidden(n, kind, share, seed=0):
    "Which items lack a picture, and which words: larger shares hide what smaller ones hide, and more (those of `hide`)"
    import torch
    from tmf_nb.rivals.mmsr import Codes, hide
    all_there = {m: Codes(torch.zeros(n, 1, dtype=torch.long), torch.zeros(1, 1)) for m in KINDS["both"]}
    return {m: c.codes[:, 0] < 0 for m, c in hide(all_there, share, KINDS[kind], seed).items()}


def without(features, kind, share):
    "The features of a shop in which a share is missing"
    import torch
    gone = hidden(len(features), kind, share)
    return replace(features, **{m: torch.where(g[:, None], 0, getattr(features, m)) for m, g in gone.items()}, **{"has_"+m: getattr(features, "has_"+m) & ~g for m, g in gone.items()})


def learn(row, seed, data, split, features):
    "A trained model, and how to hide things from it"
    import torch
    from tmf_nb.llm.backbone import TinyCfg, load_backbone, make_tiny
    from tmf_nb.llm.tmf import TMF, FusionAlone, TMFCfg, fit, warm_fusion
    from tmf_nb.practice.run import RunCfg, resting, spelling, tuning, warming
    from tmf_nb.rivals.mmsr import Codes, ConcatSASRec, MMSRCfg, item_codes, train_concat, train_mmsr
    from tmf_nb.rivals.sequential import SASRec, SequentialCfg, train_sequential
    name = row.split("@")[0]
    if name == "sasrec":
        m = train_sequential(SASRec, data, split, SequentialCfg(seed=seed, seconds=SECONDS[name]))
        return m, lambda kind, share: m
    if name == "concat":
        m = train_concat(data, split, features, SequentialCfg(seed=seed, seconds=SECONDS[name]))
        full = m.known.clone()
        def hide_concat(kind, share):
            m.known.copy_(full)
            d = features.image.shape[1]
            for k, gone in hidden(len(features), kind, share).items():
                if k in KINDS[kind]: m.known[:-1][gone, slice(0, d) if k == "image" else slice(d, None)] = 0
            return m
        return m, hide_concat
    if name == "mmsr":
        m = train_mmsr(data, split, item_codes(features, 20, 1, 64), MMSRCfg(seed=seed, target_answers=True, seconds=SECONDS[name]))
        full = {k: getattr(m, "codes_"+k).clone() for k in m.modalities}
        def hide_mmsr(kind, share):
            for k, gone in hidden(len(features), kind, share).items(): getattr(m, "codes_"+k).copy_(torch.where(gone[:, None], -1, full[k]))
            return m
        return m, hide_mmsr
    llm = name.startswith("tmf")
    cfg = RunCfg(seed=seed, modality_dropout=PRACTICE[name])
    how = tuning(cfg, "cma")
    b = load_backbone(str(WORK/f"s{seed}"/"backbone")) if llm else make_tiny(data.catalog.names, cfg=TinyCfg(width=32, layers=1, heads=2, list_steps=0))
    b.name = "tiny"
    tmf = TMF(b, features, data.catalog.names, data.behaviors, TMFCfg(warm=cfg.warm, align=resting(cfg, how.steps), noise=cfg.noise, modality_dropout=cfg.modality_dropout, spell=spelling(cfg, "cma"), seed=seed))
    with torch.no_grad():
        for k in KINDS["both"]:
            null, has = tmf.fusion.null[k], getattr(features, "has_"+k)
            null.copy_(getattr(features, k)[has].mean(0) if name.endswith("-mean") and has.any() else .02*torch.randn(null.shape, generator=torch.Generator().manual_seed(seed)))
    warm_fusion(tmf, data, split, warming(cfg, len(split.train)), seed=seed)
    if llm: fit(tmf, data, split, how)
    full = tmf.present.clone()
    def hide_tmf(kind, share):
        tmf.present.copy_(full)
        for k, gone in hidden(len(features), kind, share).items():
            if k in KINDS[kind]: tmf.present[gone, 0 if k == "image" else 1] = False
        return tmf if llm else FusionAlone(tmf)
    tmf.settings = dict(asdict(tmf.cfg), steps=how.steps if llm else 0)
    return (tmf if llm else FusionAlone(tmf)), hide_tmf


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--rows", nargs="+", default=[*MODELS, *TRAINED], choices=[*MODELS, *TRAINED], metavar="NAME", help=", ".join([*MODELS, TRAINED[0], "..."]))
    p.add_argument("--cases", type=int, default=100, help="questions of each department and kind")
    a = p.parse_args()
    path = lambda row, s: OUT/f"storefront-demo-{row}-s{s}.json"
    todo = [(s, r) for s in a.seeds for r in a.rows if not path(r, s).exists()]
    import numpy as np
    import torch
    from tmf_nb.data.core import load_json, run_record, save_json
    from tmf_nb.data.metrics import hits_at
    from tmf_nb.encoders.features import ItemFeatures
    shop, data, split, sets = scene()
    cases = {kind: [c for k, s in sets.items() if k.endswith(kind) for c in s.cases[:a.cases]] for kind in ("random", "hard")}
    right = {k: np.array([c.answer for c in v]) for k, v in cases.items()}
    for seed in a.seeds:
        for row in a.rows:
            if path(row, seed).exists() and ((old := load_json(path(row, seed)))["data_hash"], old["n"], old["candidates_hash"]) != (data.hash, len(cases["random"]), {k: s.hash for k, s in sets.items()}): p.error(f"{path(row, seed)}: measured on other data or questions; move it away")
    for seed, row in todo:
        if not encoded(seed) or not (WORK/f"s{seed}"/"backbone"/"config.json").exists(): prepare(seed)
        features, t = ItemFeatures.load(WORK/f"s{seed}"/"features.safetensors"), time.time()
        if "@" in row: model, _ = learn(row, seed, data, split, without(features, *(lambda k, s: (k, float(s)))(*row.split("@")[1].split("-"))))
        else: model, lacking = learn(row, seed, data, split, features)
        took, got = time.time()-t, {}
        for where in ["0"] + [f"{k}-{s:g}" for k in KINDS for s in SHARES] * ("@" not in row and row != "sasrec"):
            if where != "0": model = lacking(where.split("-")[0], float(where.split("-")[1]))
            got[where] = {k: [round(float(h), 4) for h in hits_at(model.score(c), right[k])] for k, c in cases.items()}
        m = {w: {k: round(float(np.mean(x)), 4) for k, x in v.items()} for w, v in got.items()}
        save_json(path(row, seed), run_record("missing", "storefront-demo", row, seed, len(cases["random"]), m["0"], data.hash, time.time()-t, row=row, by_share=m, per_case=got, budget=SECONDS.get(row.split("@")[0]), epochs=len(getattr(model, "log", None) or []), settings=getattr(model, "settings", None) or (model.tmf.settings if hasattr(model, "tmf") else asdict(model.cfg)), sources=features.source, train_seconds=round(took, 1), candidates_hash={k: s.hash for k, s in sets.items()}, threads=torch.get_num_threads()))
        print(f"seed {seed}  {row:24s} {took:5.0f} s  " + "  ".join(f"{w}: {v['random']:.3f}/{v['hard']:.3f}" for w, v in m.items()), flush=True)


if __name__ == "__main__": main()
