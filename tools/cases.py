"""Single cases of a run of the demo shop, asked in every way, and what their attention is worth: tools/cases.py RUN -> results/cases/.

RUN is the folder of a finished `tmf_nb demo` on a Storefront. For every question of the run it saves who was right with what taken away (a parquet beside the file), how sure the models were, and how well attention and three plain rules foretell what a choice hangs on.
"""
import argparse
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT/"results"/"cases"


def scene(run):
    "Settings, shop, data, questions, rungs and cheap rows of a run"
    from tmf_nb.data.candidates import CandidateSet, leave_last_out
    from tmf_nb.data.core import Stages, load_json
    from tmf_nb.llm.tmf import RUNGS, TMF
    from tmf_nb.practice.run import RunCfg, item_features, the_shop
    from tmf_nb.rivals.sequential import Popularity, SASRecCfg, train_sasrec
    cfg = RunCfg(**load_json(run/"run.json")["settings"])
    shop = the_shop(cfg)
    if shop is None: raise SystemExit(f"{run}: not a run on a Storefront; its ceilings are not known")
    data = shop.dataset()
    split = leave_last_out(data)
    sets = {k: CandidateSet.load(run/f"candidates-{k}.parquet") for k in ("test", "hard")}
    rungs = {r: TMF.from_pretrained(run/r) for r in RUNGS if (run/r/"config.json").exists()}
    graph = item_features(cfg, data, split, Stages())[1]
    cheap = {"graph encoder": graph, "SASRec": train_sasrec(data, split, SASRecCfg(max_history=cfg.max_history, seed=cfg.seed, seconds=cfg.sasrec_seconds)), "most popular": Popularity(data, split)}
    return cfg, shop, data, sets, rungs, cheap


def worth(tmf, cases):
    "For each question with at least four cards: by rank correlation over cards, how well each attention, recency, the number of events and the strongest behaviour foretell how the choice changes without the card"
    import numpy as np
    from scipy.stats import spearmanr
    from tmf_nb.studies.cases import cards, chances, hangs_on, looks
    out = []
    for c in cases:
        shown = cards(c.history)
        if len(shown) < 4: continue
        p = chances(tmf, [c])[0]
        j = int(p.argmax())
        lost = [np.log(p[j])-np.log(q[j]) for k, _, q in hangs_on(tmf, c, parts=()) if k == "card"]
        says = {k: m[j, :-1] for k, m in looks(tmf, c).items()} | dict(recency=np.arange(len(shown)), behavior=[max(b) for _, b, _ in shown], events=[len(b) for _, b, _ in shown])
        out.append({k: round(float(np.nan_to_num(spearmanr(v, np.abs(lost))[0])), 4) for k, v in says.items()} | dict(cards=len(shown), lost=[round(float(x), 3) for x in lost]))
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("run", type=Path, metavar="RUN")
    p.add_argument("--limit", type=int, help="questions of each kind at most (default: all)")
    a = p.parse_args()
    import numpy as np
    import pandas as pd
    from tmf_nb.data.ceiling import SIGHTS
    from tmf_nb.data.core import run_record, save_json, write_atomic
    from tmf_nb.data.metrics import hits_at
    from tmf_nb.studies.cases import WAYS, Explainer, chances, figure4, typical
    t = time.time()
    cfg, shop, data, sets, rungs, cheap = scene(a.run)
    ex = Explainer(data, rungs, cheap, shop)
    questions = {k: s.cases[:a.limit] for k, s in sets.items()}
    asked, hits, top = {}, [], list(rungs)[-1]
    for k, cases in questions.items():
        y = np.array([c.answer for c in cases])
        asked[k] = dict(hr1={r: {} for r in rungs}, sure={}, ceiling={})
        for w, hide in WAYS.items():
            c = shop.ceiling(cases, set(SIGHTS)-set(hide))
            asked[k]["ceiling"][w] = round(c.expected, 4)
            told = dict(set=k, way=w, question=range(len(cases)), ceiling=c.hits)
            for r, m in rungs.items():
                q = chances(m, cases, hide)
                told[r] = hits_at(q, y)
                asked[k]["hr1"][r][w] = round(float(told[r].mean()), 4)
                if not w: asked[k]["sure"][r] = [round(float(x), 4) for x in q.max(1)]
            hits.append(pd.DataFrame(told))
        others = {n: hits_at(np.asarray(m.score(cases)), y) for n, m in cheap.items()}
        if k == "test": plain = others["graph encoder"]
        asked[k]["cheap"] = {n: round(float(x.mean()), 4) for n, x in others.items()}
        asked[k]["worth"] = worth(rungs[top], cases)
        print(f"{k}: {len(cases)} questions asked in {len(WAYS)} ways after {time.time()-t:.0f} s", flush=True)
    hits = pd.concat(hits, ignore_index=True)
    first = hits[(hits.set == "test") & (hits.way == "")]
    groups = {"Figure 4": [ex.ask(s.case, s.title, f"after the paper's case of {s.principle}") for s in figure4(shop)]}
    of = shop.truth.department.to_numpy()
    for d in shop.cfg.departments:
        at = [n for n, c in enumerate(questions["test"]) if of[c.item] == d]
        some = [questions["test"][n] for n in at]
        right = {top: first[top].to_numpy()[at] >= 1, "graph encoder": plain[at] >= 1}
        groups[d] = [ex.ask(some[n], f"shopper {data.log.user_ids[some[n].user]}", why) for n, why in typical(some, right, top, "graph encoder", first.ceiling.to_numpy()[at] >= 1)]
    n = sum(map(len, questions.values()))
    name = f"{data.name}-{cfg.backbone}-s{cfg.seed}"
    with write_atomic(OUT/f"{name}.parquet") as f: hits.astype({c: "float32" for c in ("ceiling", *rungs)}).to_parquet(f, index=False, compression="zstd")
    save_json(OUT/f"{name}.json", run_record("cases", data.name, rungs[top].name, cfg.seed, n, {f"hr1 {k}": v["hr1"][top][""] for k, v in asked.items()}, data.hash, time.time()-t, row="cases", rungs=list(rungs), groups=groups, asked=asked, candidates={k: s.hash for k, s in sets.items()}))


if __name__ == "__main__": main()
