"""What TMF and MBHT recommend, for people to rate: tools/ratings.py RUN -> results/ratings/.

RUN is the folder of a finished `tmf_nb demo` on a Storefront. A hundred questions of each department, as in the paper; TMF, an MBHT trained here and the most popular item each choose one of the same eleven. What the shop's truth makes of every candidate is saved beside it: simulated raters judge by that.
"""
import argparse
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT, EACH = ROOT/"results"/"ratings", 100


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("run", type=Path, metavar="RUN")
    p.add_argument("--each", type=int, default=EACH, help="questions a department")
    p.add_argument("--seconds", type=float, default=900., help="processor seconds for MBHT")
    a = p.parse_args()
    import numpy as np
    from tmf_nb.data.candidates import draw, leave_last_out
    from tmf_nb.data.ceiling import Oracle
    from tmf_nb.data.core import load_json, run_record, save_json
    from tmf_nb.data.metrics import hits_at
    from tmf_nb.encoders.features import graph_encoder
    from tmf_nb.llm.tmf import TMF
    from tmf_nb.practice.run import RunCfg, the_shop
    from tmf_nb.rivals.sequential import Popularity
    from tmf_nb.studies.cases import cards
    t = time.time()
    cfg = RunCfg(**load_json(a.run/"run.json")["settings"])
    shop = the_shop(cfg)
    if shop is None: raise SystemExit(f"{a.run}: not a run on a Storefront; nobody knows what its shoppers think")
    data = shop.dataset()
    split = leave_last_out(data)
    of = shop.truth.department.to_numpy()[data.log.items[split.test[:, 1]]]
    sets = {d: draw(data, split.test[of == d], limit=a.each, seed=5, name=d.lower(), skip=True) for d in shop.cfg.departments}
    began = time.time()
    mbht = graph_encoder("mbht", data, split, seed=cfg.seed, seconds=a.seconds)
    took = time.time()-began
    systems = {"TMF": TMF.from_pretrained(a.run/"cma"), "MBHT": mbht, "most popular": Popularity(data, split)}
    oracle, questions, hr = Oracle(shop), [], {n: [] for n in systems}
    for d, s in sets.items():
        y = np.array([c.answer for c in s.cases])
        scores = {n: np.asarray(m.score(s.cases)) for n, m in systems.items()}
        post = oracle.score(s.cases)
        for n, x in scores.items(): hr[n].append(float(hits_at(x, y).mean()))
        for k, c in enumerate(s.cases):
            questions.append(dict(group=d, user=str(data.log.user_ids[c.user]), history=[[int(i), b] for i, b, _ in cards(c.history)], candidates=[int(i) for i in c.candidates], answer=int(c.answer),
                                  chosen={n: int(x[k].argmax()) for n, x in scores.items()}, posterior=[round(float(x), 4) for x in post[k]]))
        print(d, {n: round(x[-1], 3) for n, x in hr.items()}, flush=True)
    save_json(OUT/f"{data.name}-s{cfg.seed}.json", run_record("ratings", data.name, "what TMF and MBHT recommend", cfg.seed, len(questions), {n: {d: round(v, 4) for d, v in zip(sets, x)} for n, x in hr.items()}, data.hash, time.time()-t, row="choices", systems=list(systems), mbht_seconds=round(took, 1), questions=questions, candidates={d: s.hash for d, s in sets.items()}))


if __name__ == "__main__": main()
