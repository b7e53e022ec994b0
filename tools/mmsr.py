"""MMSR and what it stands beside, full ranking: tools/mmsr.py DATA [--posters ZIP] [--image-features FILE | --own] [--seeds 0 1 2] [--rows NAME ...] -> results/mmsr/, results/gates/.

DATA is laid out as MovieLens-100K, or is the name of a Storefront preset. Target events alone are read, as in the paper, which has one behaviour.
A row that has its file is not run again; so several runs can share the work.
"""
import argparse
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CODES, PER_ITEM, WIDTH, HISTORY = 20, 1, 64, 50
IDS = ("popular", "gru4rec", "sasrec", "bert4rec", "concat")
ORDERS = {"mmsr": {}, "along": dict(order="along first"), "across": dict(order="across first"), "together": dict(order="together"), "invasive": dict(invasive=True), "published": dict(faithful=True), "two-layers": dict(layers=2), "items-two-layers": dict(layers=2), "large-steps": dict(rows=10**6),
          "wide": dict(dim=128, dropout=.4, epochs=30, patience=8)}                 # the published width and dropout, and longer
LESS = {"items": (), "items-two-layers": (), "pictures": ("image",), "words": ("text",)}
GATED = ("mmsr", "two-layers")                # whose gates are written down, too: results/gates/
GRID = {f"c{c}-k{k}": (c, k) for c in (10, 20, 40, 80) for k in (1, 2, 3)}


def scene(a):
    "Data, split and the vectors of pictures and words"
    from tmf_nb.data.candidates import leave_last_out
    from tmf_nb.data.core import Stages
    from tmf_nb.data.goods import PRESETS
    from tmf_nb.data.public import load_movielens
    from tmf_nb.data.storefront import make_storefront
    from tmf_nb.encoders.features import ItemFeatures, encode_items
    from tmf_nb.llm.backbone import cache_dir
    import torch
    data = make_storefront(PRESETS[a.data]).dataset() if a.data in PRESETS else load_movielens(Path(a.data), a.posters)
    enc = encode_items(data, "small", 0, cache_dir()/"features", a.image_features, None, Stages())
    n, none = len(data.catalog), torch.zeros(len(data.catalog), dtype=torch.bool)
    return data, leave_last_out(data), ItemFeatures(enc["image"], enc["text"], torch.zeros(n, 1), torch.zeros(len(data.behaviors), 1), enc["has_image"], enc["has_text"], none, enc["source"])


def make(row, data, split, features, seed, epochs):
    "A trained model and its settings"
    from tmf_nb.rivals.mmsr import ConcatSASRec, MMSRCfg, item_codes, train_concat, train_mmsr
    from tmf_nb.rivals.sequential import BERT4Rec, GRU4Rec, Popularity, SASRec, SequentialCfg, train_sequential
    if row == "popular": return dict(), lambda: Popularity(data, split)
    if row in IDS:
        cfg = SequentialCfg(dim=WIDTH, max_history=HISTORY, behaviors=False, only_target=True, seed=seed)
        if row == "concat": return asdict(cfg), lambda: train_concat(data, split, features, cfg)
        return asdict(cfg), lambda: train_sequential(dict(gru4rec=GRU4Rec, sasrec=SASRec, bert4rec=BERT4Rec)[row], data, split, cfg)
    c, k = GRID.get(row, (CODES, PER_ITEM))
    cfg = replace(MMSRCfg(dim=WIDTH, max_history=HISTORY, only_target=True, epochs=epochs, patience=max(4, epochs//6), seed=seed), **ORDERS.get(row, {}))
    def go():
        codes = item_codes(features, c, k, cfg.dim)
        return train_mmsr(data, split, {m: x for m, x in codes.items() if m in LESS.get(row, codes)}, cfg)
    return asdict(cfg) | dict(centres=c, codes=k), go


def gates(model, cases):
    "For each question and layer, how much along first counts: at the last item, and on average over the item, picture and word nodes of the history"
    import torch
    from tmf_nb.rivals.mmsr import KINDS
    out = []
    with torch.no_grad():
        for c in cases:
            batch = model.read([c])
            g = model.graph(batch)
            if g.last[0] < 0: continue
            layers = [dict(last=round(float(m["gate"][g.last[0]]), 4)) | {k: round(float(m["gate"][g.kind == n].mean()), 4) for n, k in enumerate(KINDS) if (g.kind == n).any()} for m in model.states(g, maps=True)[1]]
            out.append(dict(user=c.user, events=int(batch.mask.sum()), items=int((g.kind == 0).sum()), codes=int((g.kind > 0).sum()), layers=layers))
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("data", metavar="DATA")
    p.add_argument("--posters", type=Path)
    p.add_argument("--image-features", type=Path)
    p.add_argument("--own", action="store_true", help="pictures by our small encoder where other rows had a file; the row is called NAME-own")
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    names = [*dict.fromkeys([*IDS, *ORDERS, *LESS, *GRID])]
    p.add_argument("--rows", nargs="+", default=names, choices=names, metavar="NAME", help=", ".join(names))
    p.add_argument("--limit", type=int, default=1000, help="questions at most")
    p.add_argument("--epochs", type=int, default=12, help="of MMSR, at most; the sequential models have theirs")
    a = p.parse_args()
    if a.own and a.image_features: p.error("--own goes without --image-features")
    from tmf_nb.data.core import load_json, run_record, save_json
    from tmf_nb.data.harness import study
    data, split, features = scene(a)
    s = study("mmsr", data, split, ROOT/"results", limit=a.limit, max_history=HISTORY)
    print(f"{data}; {len(s.questions)} questions; vectors: {features.source}", flush=True)
    has = [m for m in ("image", "text") if getattr(features, "has_"+m).any()]
    odd = [r for r in a.rows if r in ("pictures", "words") and len(has) < 2]
    if odd: p.error(f"--rows {odd[0]}: there is only {has}; with one modality this row is another one's")
    for seed in a.seeds:
        for row in a.rows:
            if row == "popular" and seed: continue
            name = row+"-own"*a.own
            was = s.file(name, seed)
            if was.exists() and load_json(was)["sources"] != dict(features.source): p.error(f"{was}: measured with other vectors; move it away")
            settings, go = make(row, data, split, features, seed, a.epochs)
            kept = []
            r = s.judge(name, lambda: kept.append(go()) or kept[0], seed, settings=settings, sources=dict(features.source))
            if kept and row in GATED:
                seen = gates(kept[0], s.questions.cases)
                save_json(ROOT/"results"/"gates"/f"{s.label}-{name}-s{seed}.json", run_record("gates", s.label, r["model"], seed, len(seen), {"share of along first, at the last item": round(sum(x["layers"][-1]["last"] for x in seen)/len(seen), 4)}, data.hash, r["seconds"], row=name, settings=settings, candidates_hash=s.questions.hash, shoppers=seen))
            f = r["metrics"]["full"]
            print(f"seed {seed}  {name:12s} HR@5 {f['HR@5']:.4f}  HR@20 {f['HR@20']:.4f}  MRR {f['MRR']:.4f}  {r['epochs']} epochs, {r['epoch_seconds'] or 0:.1f} s each, {r['seconds']:.0f} s", flush=True)


if __name__ == "__main__": main()
