"""Yes/no rivals with a language model: tools/ccf.py [--films FOLDER] [--seeds 0 1 2] [--rows NAME ...] -> results/ccf/.

With a tiny backbone all its weights move together with what a row adds; every row has the same questions and as many steps.
With SmolLM2: LoRA on titles first, once for all rows, then what a row adds, with the language model at rest. `--depth`, `--first` and `--second` say how much of it.
Rows `readout-*` have no language model: a logistic regression on the vectors of the collaborative model.
Without FOLDER a drawn pet shop is asked; FOLDER is laid out as CoLLM's MovieLens-1M.
A row that has its file is not run again; a row that was interrupted goes on from its last checkpoint.
"""
import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT, WORK = ROOT/"results"/"ccf", ROOT/"runs"/"ccf"
JUDGE = 4000
ROUNDS, STEPS, BATCH, SEEN = 5, 100, 128, 3 # of a tiny backbone: the learning rate falls and starts again; looked at after each round
SHOWN, MICRO = 16, 4                        # of SmolLM2: questions a step, and read at a time, in order of length


def pets():
    "The drawn shop's questions"
    from tmf_nb.data.candidates import leave_last_out
    from tmf_nb.data.goods import PRESETS
    from tmf_nb.data.storefront import make_storefront
    from tmf_nb.rivals.yes_no import yes_no
    shop = make_storefront(replace(PRESETS["demo"], users=3000, departments=("Pets",))).dataset()
    split = leave_last_out(shop)
    return shop, split, yes_no(shop, split)


def vectors(shop, split, seed):
    "Pictures, words and graph of the shop's items, as TMF sees them"
    from tmf_nb.data.core import Stages
    from tmf_nb.encoders.features import ItemFeatures
    from tmf_nb.practice.run import RunCfg, item_features
    path = WORK/f"pets-s{seed}.safetensors"
    if not path.exists(): item_features(RunCfg(seed=seed), shop, split, Stages())[0].save(path)
    return ItemFeatures.load(path)


def collab(data, kind, seed, films):
    "A collaborative model, or several; for films with the settings chosen there"
    from tmf_nb.data.core import digest
    from tmf_nb.rivals.yes_no import FILMS, CollabCfg, Together, load_collab, train_collab
    if kind.startswith("all"): return Together(*(collab(data, k, seed, films) for k in ("mf-bias" if kind=="all-bias" else "mf", "lightgcn", "sasrec")))
    cfg = replace(FILMS[kind] if films else CollabCfg(), seed=seed)
    where = WORK/f"{data.name}-{kind}-{digest(asdict(cfg))[:6]}"
    if not where.exists(): train_collab(kind, data, cfg).save_pretrained(where)
    return load_collab(where, data)


def small(data, shop, split, how, seed, judged, liked):
    "All weights at once, or titles first"
    from tmf_nb.llm.backbone import TinyCfg
    from tmf_nb.llm.trainer import TrainCfg
    from tmf_nb.rivals.ccf import CCF
    from tmf_nb.rivals.collm import CoLLM, SoftPrompt, TALLRec, fit_yes_no, unread
    from tmf_nb.rivals.yes_no import auc
    kind = dict(TALLRec=TALLRec, SoftPrompt=SoftPrompt, CoLLM=CoLLM, CCF=CCF)[how["kind"]]
    b = unread(data.catalog.names, TinyCfg(list_steps=1, width=64, layers=2, whole=0, seed=seed))
    cfg = kind.settings(lora_r=0, liked=liked, seed=seed, **how.get("model", {}))
    more = dict(features=vectors(shop, split, seed)) if how.get("model", {}).get("modalities") else {}
    m = kind(b, data, collab(data, how.get("listens", "lightgcn"), seed, shop is None) if kind.listens else None, cfg, **more)
    curve = []
    for k in range(ROUNDS):
        first = how.get("stages")==2 and k==0
        t = TrainCfg(steps=STEPS, batch=BATCH, micro=BATCH, lr=3e-3, lr_adaptor=3e-3, seed=ROUNDS*seed+k)
        fit_yes_no(m, data, t, told=not first, moves=("lora", "adaptor") if how.get("stages")!=2 else ("lora",) if first else ("adaptor",))
        s = m.answer(judged, batch=256)
        curve.append(auc(s, judged.labels))
    return m, s, dict(curve=curve, questions=ROUNDS*STEPS*BATCH)


def readout(data, how, seed, judged, films):
    "No language model: a logistic regression on the vectors"
    from tmf_nb.rivals.yes_no import Readout
    m = Readout(data, collab(data, how["listens"], seed, films))
    return m, m.answer(judged), dict(questions=len(data.train))


def large(data, how, seed, judged, a):
    "LoRA on titles, saved once; then what the row adds"
    import torch
    from tmf_nb.data.core import Stages
    from tmf_nb.llm.backbone import load_backbone
    from tmf_nb.llm.trainer import TrainCfg
    from tmf_nb.rivals.ccf import CCF
    from tmf_nb.rivals.collm import CoLLM, SoftPrompt, TALLRec, fit_yes_no
    tag = f"{data.name}-{a.depth or 'all'}-{a.first}{'-bf16' if a.precision=='bf16' else ''}-s{seed}"
    share = dict(backbone="smollm2", depth=a.depth, lora_dropout=0., seed=seed)
    train = lambda steps: TrainCfg(steps=steps, batch=SHOWN, micro=MICRO, lr=5e-4, lr_adaptor=1e-3, save_every=60, precision=a.precision, seed=seed)
    def answers(m):
        with torch.autocast("cpu", torch.bfloat16, enabled=a.precision=="bf16"): return m.answer(judged, batch=32)
    def fit(m, name, steps, **kw):
        with Stages()(name, steps) as tick: fit_yes_no(m, data, train(steps), checkpoint=WORK/f"{tag}-{name}-{steps}.safetensors", resume=True, tick=tick, **kw)
        return m
    if not (WORK/tag).exists(): fit(TALLRec(load_backbone("smollm2", a.depth), data, cfg=TALLRec.settings(**share)), "titles", a.first, told=False, moves=("lora",)).save_pretrained(WORK/tag)
    done = lambda m, second=a.second: (m, answers(m), dict(depth=a.depth, first=a.first, second=second, questions=SHOWN*(a.first+second), precision=a.precision))
    if how["kind"]=="TALLRec": return done(TALLRec.from_pretrained(WORK/tag, data), 0)
    kind = dict(SoftPrompt=SoftPrompt, CoLLM=CoLLM, CCF=CCF)[how["kind"]]
    m = kind(load_backbone("smollm2", a.depth), data, collab(data, how.get("listens", "sasrec"), seed, True) if kind.listens else None, kind.settings(**share, **how.get("model", {})))
    m.load_state_dict(TALLRec.from_pretrained(WORK/tag, data).trained(), strict=False)
    return done(fit(m, how["name"], a.second, moves=("adaptor",) if kind.listens else ("lora", "adaptor")))


def pairs(scores, asked, usual):
    "CCF-LLM minus CoLLM, and each minus the logistic regression on what it listens to: mean over the seeds that both have, and its interval over users; `scores` is row -> seed -> answers, `usual` is heard where a row does not say"
    import numpy as np
    from tmf_nb.rivals.ccf import ROWS
    from tmf_nb.rivals.yes_no import auc_interval
    heard = {kind: {ROWS[r].get("listens", usual): r for r in scores if ROWS[r]["kind"]==kind and "model" not in ROWS[r] and "stages" not in ROWS[r]} for kind in ("CCF", "CoLLM", "Readout")}
    out = {}
    for k in sorted(heard["CCF"].keys() | heard["CoLLM"].keys()):
        for name, one, other in (("CoLLM", "CCF", "CoLLM"), ("readout", "CCF", "Readout"), ("CoLLM minus readout", "CoLLM", "Readout")):
            a, b = (scores.get(heard[kind].get(k), {}) for kind in (one, other))
            seeds = sorted(a.keys() & b.keys())
            if seeds: out.setdefault(k, {})[name] = dict(seeds=seeds, minus=auc_interval(np.array([a[s] for s in seeds]), asked.labels, asked.users, np.array([b[s] for s in seeds])))
    return out


def beside(scores, asked, labelled, mine, judged):
    "Each row minus the same row with another backbone, where that was asked the usual questions, on what both were asked: tag -> row -> difference and interval; `mine` and `judged` are question numbers of the two"
    import re
    import numpy as np
    from tmf_nb.data.core import load_json
    from tmf_nb.rivals.yes_no import auc_interval
    out = {}
    for row, by_seed in scores.items():
        for s, x in by_seed.items():
            for f in sorted(OUT.glob(f"{labelled}-*-{row}-s{s}.json")):
                tag, other = f.name[len(labelled)+1:-len(f"-{row}-s{s}.json")], load_json(f)
                if not re.fullmatch(r"tiny|smollm2-\w+-\d+-\d+(-bf16)?", tag) or other["n"]!=len(judged): continue
                out.setdefault(tag, {}).setdefault(row, {})[s] = auc_interval(np.array(x), asked.labels, asked.users, np.array(other["scores"])[np.isin(judged, mine)])
    return out


def main():
    from tmf_nb.data.core import load_json, run_record, save_json
    from tmf_nb.rivals.yes_no import Averages, auc, auc_interval, load_collm, uauc
    from tmf_nb.rivals.ccf import ROWS
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--films", type=Path, metavar="FOLDER")
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--rows", nargs="+", choices=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    p.add_argument("--backbone", default="tiny", choices=["tiny", "smollm2"])
    p.add_argument("--depth", type=int, help="SmolLM2: layers")
    p.add_argument("--first", type=int, default=250, help="SmolLM2: steps of LoRA on titles")
    p.add_argument("--second", type=int, default=120, help="SmolLM2: steps of what a row adds")
    p.add_argument("--precision", default="no", choices=["no", "bf16"], help="SmolLM2: of products, in learning and in answering")
    p.add_argument("--judge", type=int, default=JUDGE, help="validation questions; of films, drawn at random")
    a = p.parse_args()
    if a.backbone=="smollm2" and not a.films: p.error("--backbone smollm2 needs --films: a drawn shop has no words that it could have read about")
    plain = lambda row: ROWS[row]["kind"]=="Readout"
    odd = [w for w in a.rows or () if w=="pictures" and a.films or w=="two-stages" and a.backbone=="smollm2"]
    if odd: p.error(f"--rows {odd[0]}: " + ("films have no vectors of pictures here" if odd[0]=="pictures" else "every row of smollm2 has two stages"))
    import numpy as np
    import torch
    WORK.mkdir(parents=True, exist_ok=True)
    shop, split, data = (None, None, load_collm(a.films)) if a.films else pets()
    size = "" if not a.films else "-tiny" if a.backbone=="tiny" else f"-smollm2-{a.depth or 'all'}-{a.first}-{a.second}"
    if a.backbone=="smollm2" and a.precision=="bf16": size += "-bf16"
    numbers = lambda n: np.sort(np.random.default_rng(59).permutation(len(data.valid))[:n]) if a.films else np.arange(n)
    asked = data.valid[numbers(a.judge)]
    base, file = Averages(data), lambda row, seed: OUT/f"{data.name if a.films else 'pets'}{'' if plain(row) else size}{f'-judge-{a.judge}' if a.judge!=JUDGE else ''}-{row}-s{seed}.json"
    for seed in a.seeds:
        for row in a.rows or [r for r in ROWS if r not in (("pictures", "two-stages", "ccf") if a.backbone=="smollm2" else ("pictures", "ccf-lightgcn", "collm-lightgcn") if a.films else ("ccf-lightgcn", "collm-lightgcn"))]:
            path = file(row, seed)
            if path.exists(): continue
            t, how = time.time(), ROWS[row] | dict(name=row)
            m, s, more = readout(data, how, seed, asked, bool(a.films)) if plain(row) else small(data, shop, split, how, seed, asked, 10 if a.films else SEEN) if a.backbone=="tiny" else large(data, how, seed, asked, a)
            cheap = dict(averages=base.answer(asked)) | ({how.get("listens", "sasrec" if a.backbone=="smollm2" else "lightgcn"): m.collab.answer(asked)} if hasattr(getattr(m, "collab", None), "answer") else {})
            met = dict(auc=auc(s, asked.labels), uauc=uauc(s, asked.labels, asked.users), interval=auc_interval(s, asked.labels, asked.users)[1:], cheap={k: auc(x, asked.labels) for k, x in cheap.items()}, minus={k: auc_interval(s, asked.labels, asked.users, x, draws=300) for k, x in cheap.items()})
            save_json(path, run_record("ccf", data.name, m.name, seed, len(asked), met, data.hash, time.time()-t, row=row, scores=[round(float(x), 3) for x in s], threads=torch.get_num_threads(), **more))
            print(f"seed {seed}  {row:14s} AUC {met['auc']:.4f}  UAUC {met['uauc']:.4f}  " + "  ".join(f"{k} {v:.4f}" for k, v in met["cheap"].items()) + f"  {time.time()-t:.0f} s", flush=True)
    scores = {r: {s: load_json(f)["scores"] for s in range(9) if (f := file(r, s)).exists()} for r in ROWS}
    found, t = pairs({r: x for r, x in scores.items() if x}, asked, "sasrec" if a.backbone=="smollm2" else "lightgcn"), time.time()
    for k, x in found.items():
        for n, y in x.items(): print(f"{'CCF-LLM minus ' if n!='CoLLM minus readout' else ''}{n}, {k}, seeds {y['seeds']}: {y['minus'][0]:+.4f} [{y['minus'][1]:+.4f}, {y['minus'][2]:+.4f}]", flush=True)
    others = beside({r: x for r, x in scores.items() if x and not plain(r)}, asked, data.name, numbers(a.judge), numbers(JUDGE)) if a.films and a.judge<JUDGE else {}
    for tag, x in others.items():
        for r, y in x.items(): print(f"{r} minus {r} with {tag}: " + ", ".join(f"{v[0]:+.4f} [{v[1]:+.4f}, {v[2]:+.4f}]" for v in y.values()), flush=True)
    if a.judge!=JUDGE: size += f"-judge-{a.judge}"
    if found or others: save_json(OUT.parent/"ccf_pairs"/f"{data.name if a.films else 'pets'}{size}.json", run_record("ccf_pairs", data.name, "CCF-LLM minus CoLLM", 0, len(asked), {f"{k}: {n}": y["minus"][0] for k, x in found.items() for n, y in x.items()}, data.hash, time.time()-t, row=f"{'films' if a.films else 'pets'}{size}", pairs=found, **(dict(beside=others) if others else {})))


if __name__ == "__main__": main()
