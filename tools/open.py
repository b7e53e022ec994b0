"""Open questions, on the demo Storefront: tools/open.py [--rows NAME ...] [--seeds 0] -> results/open/.

users-N: learn from N shoppers, the same questions for every N, of shoppers that no row has met. The goods stay the same, so this is the ratio of items to users.
away-DEPARTMENT: learn from everything that was done with other departments' goods, and answer questions about this one, whose goods nobody has been seen with. away-DEPARTMENT-plain: the same, and no graph vectors in training either, so that a missing one is nothing new.
graph-NAME: the whole model on another graph encoder, from the log that users-20000 has.
A row that has its file is not run again.
"""
import argparse
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT, WORK = ROOT/"results"/"open", ROOT/"runs"/"open"
SIZES, GRAPHS, DEPARTMENTS, ASK = (100, 400, 1500, 6000, 20000), ("mbht", "mbgcn", "mbrec", "tgt", "mmsr"), ("Electronics", "Pets", "Sports"), 300
ROWS = [*(f"users-{n}" for n in SIZES), *(f"away-{d}{p}" for d in DEPARTMENTS for p in ("", "-plain")), *(f"graph-{g}" for g in GRAPHS)]


def questions(shop, data, split, row):
    "What a row answers: of shoppers that no row learns from"
    import numpy as np
    from tmf_nb.data.candidates import draw
    of = shop.truth.department.to_numpy()[data.log.items[split.test[:, 1]]]
    cold = split.test[np.random.default_rng(71).permutation(len(split.test))[:3600]]
    cold = cold[np.argsort(cold[:, 0])]
    if row.startswith("away"):
        d = row.split("-")[1]
        cold = cold[shop.truth.department.to_numpy()[data.log.items[cold[:, 1]]] == d]
    sets = {kind: draw(data, cold, limit=ASK, kind=kind, name=kind, skip=True) for kind in ("random", "hard")}
    return sets, cold[:, 0]


def log_of(data, shop, row, never):
    "The part of the log that a row may learn from"
    import numpy as np
    from tmf_nb.data.schema import Dataset
    from tmf_nb.data.storefront import BEHAVIORS
    f, users = shop.events, np.asarray(data.log.user_ids)
    may = np.setdiff1d(users, users[never])
    n = int(row.split("-")[1]) if row.startswith("users") else SIZES[-1]
    may = may[np.random.default_rng(72).permutation(len(may))[:n]]
    f = f[f.user_id.isin(set(may))]
    if row.startswith("away"):
        gone = set(shop.items.item_id[shop.truth.department == row.split("-")[1]])
        f = f[~f.item_id.isin(gone)]
    return Dataset.from_frames(shop.items, f.reset_index(drop=True), BEHAVIORS, "purchase", data.catalog.pictures, data.name)


def learn(row, seed):
    import torch
    from tmf_nb.data.candidates import leave_last_out
    from tmf_nb.data.core import Stages, run_record, save_json
    from tmf_nb.data.storefront import make_storefront
    from tmf_nb.practice.run import Ladder, Popularity, RunCfg, SASRecCfg, climb, item_features, tiny_for, train_sasrec
    t = time.time()
    shop = make_storefront("demo")
    whole = shop.dataset()
    cold = {k: questions(shop, whole, leave_last_out(whole), k)[1] for k in (row, "users")}       # the shoppers that any row is asked about are kept out of every row
    sets = questions(shop, whole, leave_last_out(whole), row)[0]
    data = log_of(whole, shop, row, cold["users"])
    split = leave_last_out(data)
    cfg = RunCfg(seed=seed, graph=row.split("-")[1] if row.startswith("graph") else "small")
    where, stages = WORK/f"{row}-s{seed}", Stages()
    (where/"rows").mkdir(parents=True, exist_ok=True)
    ladder = Ladder(sets, where, stages)
    feats, graph = item_features(cfg, data, split, stages)
    if row.endswith("plain"): feats = replace(feats, graph=torch.zeros_like(feats.graph), has_graph=torch.zeros_like(feats.has_graph))
    sights = dict(all={"text", "behavior", "image", "graph"}, content={"text", "behavior", "image"})
    ceilings = {k: {n: round(shop.ceiling(s.cases, see).expected, 4) for n, see in sights.items()} for k, s in sets.items()}
    ladder.add("popularity", Popularity(data, split))
    ladder.add("graph", graph, stages.seconds["train the graph encoder"])
    ladder.add("sasrec", train_sasrec(data, split, SASRecCfg(seed=seed, seconds=60.)))
    climb(cfg, "cma", tiny_for(cfg, data, split, where, stages), feats, data, split, ladder, False, True)
    n = sum(map(len, sets.values()))
    save_json(OUT/f"{whole.name}-{row}-s{seed}.json", run_record("open", whole.name, row, seed, n, {f"hr1 {k}": round(ladder.rows["cma"]["sets"][k]["metrics"]["hr1"], 4) for k in sets}, data.hash, time.time()-t, row=row, users=len(data.log.user_ids), items=len(data.catalog), events=len(data.log), questions=len(split.train),
              ceilings=ceilings, candidates={k: s.hash for k, s in sets.items()}, rows={r: dict(label=x["label"], seconds=x["seconds"], sets={k: dict(metrics=s["metrics"], per_case=s["per_case"]) for k, s in x["sets"].items()}) for r, x in ladder.rows.items()}, encoder_seconds=round(stages.seconds["train the graph encoder"], 1)))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--rows", nargs="+", default=ROWS, choices=ROWS, metavar="NAME", help=", ".join(ROWS))
    p.add_argument("--seeds", type=int, nargs="+", default=[0])
    a = p.parse_args()
    for seed in a.seeds:
        for row in a.rows:
            if (OUT/f"storefront-demo-{row}-s{seed}.json").exists(): continue
            print(f"{row}, seed {seed}", flush=True)
            learn(row, seed)


if __name__ == "__main__": main()
