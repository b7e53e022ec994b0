"""Open questions, on the demo Storefront: tools/open.py [--arms NAME ...] [--seeds 0 1 2] [--jobs N] -> results/open/.

Every arm answers the same questions of shoppers that no arm learns from. Pictures and words are encoded once and the tiny backbone is made once, as one would take a CLIP and a language model from a shelf; a seed changes what is trained on top.

base            1,500 shoppers, the small graph encoder, the default way to train, in 150 steps instead of 500.
users-N         N shoppers. The goods stay the same, so this is the ratio of items to shoppers.
graph-NAME      another graph encoder on the log of `base`; graph-none: no graph vectors.
fit-NAME        as base up to the warmed fusion, then something else of the language model is trained than LoRA: all weights, at two rates, norms only, or nothing.
cold-NAME       as in the paper: no warm-up of the fusion, no steps in which LoRA rests, the words learn what was bought, no noise. In 400 steps; with the hard task alone, with hard tasks first, or with all weights.
words           the language model alone, with names; cold, and as many steps.
words-codes     the same, and what pictures and graph know is written into every name, as words that number clusters.
noise-P         P per cent of the events to learn from name an item drawn at random. It and base are also asked with histories spoiled in the same way.
away-DEPARTMENT learned from everything that was done with other departments' goods; asked about this one's. blind-DEPARTMENT: the same without graph vectors, so that a missing one is nothing new, up to the warmed fusion; blind-home: so, from the whole log. home: base, trained again from its warmed fusion. These and base are also asked with wrong answers of the same department and shelf.

An arm that has its file is not run again. The arms of a seed stand on its base, which is run first.
"""
import argparse
import copy
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT, WORK = ROOT/"results"/"open", ROOT/"runs"/"open"
USERS, EACH, COLD = 1500, 150, 3600                           # shoppers of base; questions of a department and kind; shoppers that nobody learns from
SIZES, GRAPHS, NOISE, DIRTY, DEPARTMENTS = (100, 400, 6000), ("none", "mbht", "mbgcn", "mbrec", "tgt", "mmsr"), (10, 30, 50), (30, 50), ("Electronics", "Pets", "Sports")
STEPS, WORDS = 150, 400                                       # of tuning; without a warmed fusion
FITS = {"frozen": {}, "norms": {}, "full": {}, "full-slow": {}}
COLDS = {"paper": {}, "none": dict(schedule="none"), "reversed": dict(schedule="reversed"), "full": {}}
MOVES = {"frozen": "nothing", "norms": "norms", "full": "all", "full-slow": "all"}     # what of the language model is trained, if not LoRA
RATES = {"full": 3e-4, "full-slow": 1e-4, "norms": 3e-3}
CODES = (32, 2)                                               # clusters, and codes of an item, in each modality that is written out
ARMS = ["base", *(f"users-{n}" for n in SIZES), *(f"graph-{g}" for g in GRAPHS), *(f"away-{d}" for d in DEPARTMENTS), *(f"blind-{d}" for d in (*DEPARTMENTS, "home")), *(f"noise-{p}" for p in DIRTY),
        "home", *(f"cold-{c}" for c in COLDS), "words", "words-codes", *(f"fit-{f}" for f in FITS)]
path = lambda arm, seed: OUT/f"storefront-demo-{arm}-s{seed}.json"
alone = lambda arm: arm.split("-")[0] in ("users", "graph", "away", "blind", "noise", "base")    # learns a graph encoder and a fusion of its own


def scene():
    "Shop, its whole log, the shoppers who ask, their questions, and the department of each"
    import numpy as np
    from tmf_nb.data.candidates import draw, leave_last_out
    from tmf_nb.data.storefront import make_storefront
    shop = make_storefront("demo")
    data = shop.dataset()
    split = leave_last_out(data)
    cold = split.test[np.random.default_rng(71).permutation(len(split.test))[:COLD]]
    cold = cold[np.argsort(cold[:, 0])]
    of = shop.truth.department.to_numpy()[data.log.items[cold[:, 1]]]
    parts = {kind: [draw(data, cold[of == d], limit=EACH, kind=kind, name=d.lower(), skip=True) for d in DEPARTMENTS] for kind in ("random", "hard")}
    cases = {kind: [c for s in p for c in s.cases] for kind, p in parts.items()}
    cases["department"] = within(shop, data, cases["random"])
    sets = {kind: replace(parts["random"][0], name=f"open-{kind}", cases=[replace(c, user=-1) for c in cs]) for kind, cs in cases.items()}     # to whoever is asked they are strangers
    return shop, data, cold[:, 0], sets, [d for d, s in zip(DEPARTMENTS, parts["random"]) for _ in s.cases]


def within(shop, data, cases):
    "The same questions, with ten wrong answers from the right one's department and shelf that the shopper has not touched: to tell seen goods from unseen ones is of no use"
    import numpy as np
    department, shelf, out = shop.truth.department.to_numpy(), shop.items.shelf.to_numpy(), []
    for c in cases:
        rng, like = np.random.default_rng([75, c.user]), np.flatnonzero((department == department[c.item]) & (shelf == shelf[c.item]))
        may = np.setdiff1d(like, [*data.log.items[data.log.of(c.user)], c.item])
        ids = rng.permutation([c.item, *rng.choice(may, 10, replace=False)])
        out.append(replace(c, candidates=tuple(int(i) for i in ids), answer=int(np.flatnonzero(ids == c.item)[0])))
    return out


def log_of(shop, data, strangers, arm):
    "What an arm may learn from"
    import numpy as np
    from tmf_nb.data.schema import Dataset
    from tmf_nb.data.storefront import BEHAVIORS
    f, users = shop.events, np.asarray(data.log.user_ids)
    may, n = np.setdiff1d(users, users[strangers]), int(arm.split("-")[1]) if arm.startswith("users") else USERS
    f = f[f.user_id.isin(set(may[np.random.default_rng(72).permutation(len(may))[:n]]))].reset_index(drop=True)
    if arm.startswith(("away", "blind")) and arm != "blind-home": f = f[~f.item_id.isin(set(shop.items.item_id[shop.truth.department == arm.split("-")[1]]))].reset_index(drop=True)
    if arm.startswith("noise"):
        rng, p = np.random.default_rng(73), int(arm.split("-")[1])/100
        f = f.assign(item_id=np.where(rng.random(len(f)) < p, shop.items.item_id.to_numpy()[rng.integers(len(shop.items), size=len(f))], f.item_id))
    return Dataset.from_frames(shop.items, f, BEHAVIORS, "purchase", data.catalog.pictures, data.name)


def spoiled(cases, share, items):
    "Histories in which a share of the events names an item drawn at random, but none of the candidates"
    import numpy as np
    out = []
    for k, c in enumerate(cases):
        rng = np.random.default_rng([74, k])
        may, bad = np.setdiff1d(np.arange(items), c.candidates), rng.random(len(c.history)) < share
        other = may[rng.integers(len(may), size=len(bad))]
        out.append(replace(c, history=tuple((int(o) if b else i, a) for (i, a), o, b in zip(c.history, other, bad))))
    return out


def coded(names, feats, seed):
    "Names that say, as words, in which clusters an item's picture and graph vector lie"
    from tmf_nb.rivals.mmsr import item_codes
    words = {m: v.codes.tolist() for m, v in item_codes(dict(image=feats.image, text=feats.graph, has_image=feats.has_image, has_text=feats.has_graph), *CODES, seed=seed).items()}
    return [n + "".join(f" {w}{k}" for m, w in (("image", "look"), ("text", "crowd")) for k in words[m][i] if k >= 0) for i, n in enumerate(names)]


def learn(arm, seed):
    "Run one arm and write it down"
    import numpy as np
    import torch
    from tmf_nb.data.candidates import leave_last_out
    from tmf_nb.data.core import run_record, save_json, write_folder
    from tmf_nb.data.metrics import generation_metrics, hits_at
    from tmf_nb.encoders.features import ItemFeatures, encode_items, graph_encoder
    from tmf_nb.llm.backbone import TinyCfg, cache_dir, load_backbone
    from tmf_nb.llm.tmf import LESSON, TMF, FusionAlone, TMFCfg, fit, generate, tiny_backbone, warm_fusion
    from tmf_nb.practice.run import RunCfg, resting, tuning, warming
    from tmf_nb.rivals.sequential import Popularity, SASRecCfg, train_sasrec
    t0, took = time.time(), {}
    shop, whole, strangers, sets, departments = scene()
    data = log_of(shop, whole, strangers, arm)
    split = leave_last_out(data)
    family, _, name = arm.partition("-")
    where, home = WORK/f"{arm}-s{seed}", WORK/f"base-s{seed}"
    right, hits = {k: np.array([c.answer for c in s.cases]) for k, s in sets.items()}, {}
    asked = {k: s.cases for k, s in sets.items() if k != "department" or family in ("base", "home", "away", "blind")}
    if arm == "base" or family == "noise":
        for p in NOISE if arm == "base" else (int(name),): asked |= {f"{k}, history {p} % noise": spoiled(s.cases, p/100, len(data.catalog)) for k, s in sets.items() if k != "department"}
        right |= {k: right[k.split(",")[0]] for k in asked}

    def judge(row, model, seconds=0.):
        hits[row] = {k: [round(float(h), 4) for h in hits_at(model.score(c), right[k])] for k, c in asked.items()}
        took[row] = round(seconds, 1)
        print(f"{arm} s{seed}  {row:10s} " + "  ".join(f"{k} {np.mean(v):.3f}" for k, v in hits[row].items()), flush=True)

    def timed(what, make):
        t = time.time()
        x = make()
        took[what] = round(time.time()-t, 1)
        return x

    # pictures and words, and the backbone, made once
    enc = encode_items(whole, "small", 0, cache_dir()/"features")
    for b, lesson in (("backbone-words", 0), ("backbone", LESSON)):
        if not (WORK/b/"config.json").exists():
            if arm != "base": raise SystemExit(f"{WORK/b}: run base first")
            made = tiny_backbone(data, split, TinyCfg(seed=0), lesson, 10)
            with write_folder(WORK/b) as tmp: made.save(tmp)
    # vectors of the graph, and the cheap rows
    cfg = RunCfg(seed=seed)
    if alone(arm):
        graph = None
        if arm == "graph-mmsr":
            from tmf_nb.rivals.mmsr import MMSRCfg, item_codes, train_mmsr
            how = MMSRCfg(seed=seed, target_answers=True, seconds=240.)
            graph = timed("graph encoder", lambda: train_mmsr(data, split, item_codes(enc, width=how.dim), how))
        elif arm != "graph-none" and family != "blind":
            kind = name if family == "graph" else "small"
            graph = timed("graph encoder", lambda: graph_encoder(kind, data, split, seed=seed, **(dict(max_history=10) if kind == "small" else {})))
        z, r = graph.vectors() if graph else (torch.zeros(len(data.catalog), 64), torch.nn.functional.normalize(torch.randn(len(data.behaviors), 64, generator=torch.Generator().manual_seed(seed)), dim=1))
        seen = torch.from_numpy(np.bincount(data.log.items[split.visible], minlength=len(data.catalog)) > 0) & (graph is not None)
        feats = ItemFeatures(image=enc["image"], text=enc["text"], graph=z, behavior=r, has_image=enc["has_image"], has_text=enc["has_text"], has_graph=seen, source=dict(enc["source"], graph=graph.name if graph else "none"))
        judge("popularity", Popularity(data, split))
        if graph: judge("graph", graph, took["graph encoder"])
        if family not in ("graph", "blind"): judge("sasrec", timed("sasrec", lambda: train_sasrec(data, split, SASRecCfg(seed=seed, seconds=60.))), 0.)
        where.mkdir(parents=True, exist_ok=True)
        feats.save(where/"features.safetensors")
    else: feats = ItemFeatures.load(home/"features.safetensors")

    # the model
    text, cold = family == "words", family == "cold"
    rung, steps = "text" if text else "cma", WORDS if text or cold else STEPS
    how, names, width = tuning(cfg, rung), data.catalog.names, 16
    how = replace(how, steps=steps, seed=seed)
    if arm == "words-codes":
        names, width = coded(names, feats, seed), 28
        data = copy.copy(data)
        data.catalog = copy.copy(data.catalog)
        data.catalog.names = names
        backbone = tiny_backbone(data, split, TinyCfg(seed=0), 0, 10, width)
    else: backbone = load_backbone(str(WORK/("backbone-words" if text else "backbone")))
    backbone.name = "tiny"
    settings = dict(rung=rung, max_name=width, seed=seed, warm=0 if text or cold else warming(cfg, len(split.train)), align=0 if text or cold else resting(cfg, steps), spell="bought" if text or cold else "believed", noise=0. if cold else cfg.noise) | (FITS if family == "fit" else COLDS if cold else {}).get(name, {})
    tmf = TMF(backbone, feats, names, data.behaviors, TMFCfg(**settings))
    moves = MOVES.get(name, "LoRA") if family in ("fit", "cold") else "LoRA"
    if moves != "LoRA":
        usual = tmf.groups
        lm = [] if moves == "nothing" else [p for n, p in tmf.lm.named_parameters() if moves == "all" or "norm" in n and "lora_" not in n]
        tmf.groups = lambda: usual() | dict(lora=lm)
        if moves == "norms": [p.requires_grad_(False) for p in usual()["lora"]]
        how = replace(how, lr=RATES.get(name, how.lr))
    if cold: how = replace(how, lr_fusion=2e-3, lr_adaptor=5e-3)                      # what a run takes without a warm-up
    if settings["warm"]:
        if alone(arm):
            timed("warm-up", lambda: warm_fusion(tmf, data, split, settings["warm"], seed=seed))
            from safetensors.torch import save_file
            save_file({k: v.contiguous() for k, v in tmf.state_dict().items() if k.startswith(("fusion.", "match."))}, where/"fusion.safetensors")
        else:
            from safetensors.torch import load_file
            tmf.load_state_dict(load_file(home/"fusion.safetensors"), strict=False)
        judge("fusion", FusionAlone(tmf), took.get("warm-up", 0.))
    log = [] if family == "blind" else timed("tuning", lambda: fit(tmf, data, split, how))
    if log: judge("tmf", tmf, took["tuning"])
    if rung == "cma" and not settings["warm"]: judge("fusion", FusionAlone(tmf))
    some = {k: s.cases[::3] for k, s in sets.items() if log and k != "department"}
    written = {k: generation_metrics(generate(tmf, c)[1], np.array([x.answer for x in c])) for k, c in some.items()}
    print(f"{arm} s{seed}  written {written}", flush=True)
    weights = sum(p.numel() for g in tmf.groups().values() for p in g)
    save_json(path(arm, seed), run_record("open", "storefront-demo", arm, seed, len(right["random"]), {r: {k: round(float(np.mean(v)), 4) for k, v in h.items()} for r, h in hits.items()}, whole.hash, time.time()-t0, row=arm, hits=hits, written=written, took=took, learned_from=data.hash,
              departments=departments, candidates_hash={k: sets[k].hash for k in ("random", "hard")}, department_hash=sets["department"].hash, shoppers=len(data.log.user_ids), items=len(data.catalog), events=len(data.log), questions=len(split.train), steps=steps, moves=moves, lr=how.lr, settings=settings, weights=weights,
              ceilings={k: {n: round(shop.ceiling(s.cases, see).expected, 4) for n, see in dict(everything={"text", "behavior", "image", "graph"}, content={"text", "behavior", "image"}, words={"text", "behavior"}).items()} for k, s in sets.items()} if arm == "base" else None,
              train_loss=round(float(np.mean([r["loss"] for r in log[-50:]])), 4) if log else None, threads=torch.get_num_threads()))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--arms", nargs="+", default=ARMS, choices=ARMS, metavar="NAME", help=", ".join(ARMS))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="arms that run side by side, each with its share of the cores")
    p.add_argument("--one", nargs=2, metavar=("ARM", "SEED"), help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one: return learn(a.one[0], int(a.one[1]))
    todo = [(s, r) for s in a.seeds for r in sorted(a.arms, key=ARMS.index) if not path(r, s).exists()]
    ready = lambda s, r: r == "base" or alone(r) and (WORK/"backbone"/"config.json").exists() or path("base", s).exists() and (WORK/f"base-s{s}"/"fusion.safetensors").exists()
    running, failed, threads = {}, [], str(max(1, (os.cpu_count() or 1)//a.jobs))
    (WORK/"logs").mkdir(parents=True, exist_ok=True)
    while todo or running:
        for t in [t for t in todo if ready(*t)][:a.jobs-len(running)]:
            todo.remove(t)
            log = WORK/"logs"/f"{t[1]}-s{t[0]}.txt"
            running[t] = (subprocess.Popen([sys.executable, __file__, "--one", t[1], str(t[0])], stdout=log.open("a"), stderr=subprocess.STDOUT, env={**os.environ, "OMP_NUM_THREADS": threads}), time.time(), log)
        if not running: raise SystemExit(f"{len(todo)} arms cannot begin, since their base is missing: {todo[:3]}")
        time.sleep(1)
        for t, (job, since, log) in list(running.items()):
            if job.poll() is None: continue
            del running[t]
            print(f"{t[1]} seed {t[0]}: {'done' if job.returncode == 0 else f'failed, see {log}'} after {time.time()-since:.0f} s", flush=True)
            if job.returncode: failed.append(t)
    sys.exit(1 if failed else 0)


if __name__ == "__main__": main()
