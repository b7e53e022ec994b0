"""LLaRA on twenty candidates: tools/llara.py FOLDER [--seeds 0 1 2] [--rows NAME ...] [--backbone tiny|smollm2] [--depth N] [--whole] -> results/llara/.

FOLDER is laid out as LLaRA's MovieLens-100K or its LastFM (see the chapter on public data). Its validation rows are asked: of listeners or viewers that training has not met.
Of MovieLens, whose rows are few, last likes of everybody else are asked, too; of LastFM further windows of the same listeners, `--judge` of them drawn at random, and every listener counts once.
Every row with a language model has as many steps and the same questions: five rounds through all that there is to learn from, as in LLaRA's scripts, or `--steps`. TMF on the same vectors, and its fusion alone, are tuned as a run tunes them: a backbone that had both lessons, a warm-up, LoRA, 500 steps. With `--whole` all weights of a tiny backbone move instead of LoRA's: it has read nothing that would be worth keeping. Of every tenth listener the last two events are kept back, to stop SASRec by; of all others everything is learned from.
A row that has its file is not run again; seconds count the training of the vectors that a row stands on, too, whenever that was.
"""
import argparse
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT, WORK = ROOT/"results"/"llara", ROOT/"runs"/"llara"
NEGATIVES, ROUNDS, JUDGE, LR = 19, 5, 800, 1e-3   # LR: of a backbone all of whose weights move
ROWS = {"popular": "most popular", "sasrec": "SASRec", "gru4rec": "GRU4Rec", "titles": "titles only", "llara": "LLaRA (SASRec)", "llara-gru4rec": "LLaRA (GRU4Rec)", "fusion": "TMF's fusion alone (SASRec)", "tmf": "TMF (SASRec)"}
PLAIN, OURS = ("popular", "sasrec", "gru4rec", "fusion"), ("fusion", "tmf")   # without a language model; TMF's answer to the same vectors


def scene(folder, judge):
    "Data, split, what is asked (name -> candidate set), and who asks where somebody asks more than once"
    import numpy as np
    from tmf_nb.data.candidates import draw, leave_last_out
    from tmf_nb.data.public import is_windows, llara_cases, load_movielens, load_windows, window_cases
    if is_windows(folder):
        data = load_windows(folder)
        cases, who, lost = window_cases(folder, data)
        print(f"{lost} rows name somebody that training has not", flush=True)
        some = np.sort(np.random.default_rng(61).permutation(len(cases))[:judge])
        return data, leave_last_out(data, held=range(0, len(data.log.user_ids), 10)), dict(llara=window_cases(folder, data, own=True)[0], windows=replace(cases, cases=[cases.cases[k] for k in some])), dict(windows=np.array(who)[some])
    data = load_movielens(folder)
    cases, out = llara_cases(folder, data, NEGATIVES)
    split = leave_last_out(data, exclude=out)
    return data, split, dict(llara=cases, likes=draw(data, split.valid, NEGATIVES, 0, "likes", limit=judge)), {}


def small(data, split, kind, seed):
    "A recommender of ids, trained once, and the seconds that it took"
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file
    from tmf_nb.rivals.sequential import GRU4Rec, SASRec, SequentialCfg, train_sequential
    cls, cfg, path = dict(sasrec=SASRec, gru4rec=GRU4Rec)[kind], SequentialCfg(max_history=10, seed=seed), WORK/f"{data.name}-{kind}-{len(split.train)}-s{seed}.safetensors"
    if not path.exists():
        t, m = time.time(), train_sequential(cls, data, split, cfg)
        save_file(m.state_dict(), path, metadata=dict(seconds=f"{time.time()-t:.1f}"))
    m = cls(data, split, cfg)
    m.load_state_dict(load_file(path))
    with safe_open(path, "pt") as f: return m.eval(), float(f.metadata()["seconds"])


def tiny(data, split, seed, lesson):
    "The tiny backbone that a row begins with, made once"
    from tmf_nb.data.core import write_folder
    from tmf_nb.llm.backbone import TinyCfg, load_backbone
    from tmf_nb.llm.tmf import tiny_backbone
    where = WORK/f"{data.name}-{len(split.train)}-backbone{f'-{lesson}' if lesson else ''}-s{seed}"
    if not where.exists():
        with write_folder(where) as tmp: tiny_backbone(data, split, TinyCfg(seed=seed), lesson, negatives=NEGATIVES).save(tmp)
    b = load_backbone(str(where))
    b.name = "tiny"
    return b


def ours(data, split, row, seed, a):
    "TMF as `run` tunes it, on LLaRA's vectors: its warmed fusion alone, or all of it"
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file
    from tmf_nb.data.core import Stages
    from tmf_nb.llm.backbone import load_backbone
    from tmf_nb.llm.tmf import FusionAlone, TMF, TMFCfg, fit, warm_fusion
    from tmf_nb.practice.run import RunCfg, lesson_two, resting, spelling, tuning, warming
    from tmf_nb.rivals.llara import id_vectors
    cfg = RunCfg(backbone=a.backbone, depth=a.depth, seed=seed, steps=a.steps, negatives=NEGATIVES, world=0)
    how, warm = replace(tuning(cfg, "cma"), precision=a.precision), warming(cfg, len(split.train))
    ids, seconds = small(data, split, "sasrec", seed)
    lesson = lesson_two(cfg, "cma") if a.backbone=="tiny" and row=="tmf" else 0
    b = tiny(data, split, seed, lesson) if a.backbone=="tiny" else load_backbone(a.backbone, a.depth)
    m = TMF(b, id_vectors(ids, len(data.behaviors)), data.catalog.names, data.behaviors, TMFCfg(backbone=a.backbone, depth=a.depth, spell=spelling(cfg, "cma"), warm=warm, align=resting(cfg, how.steps), seed=seed))
    path = WORK/f"{data.name}-fusion-{warm}-{len(split.train)}-s{seed}.safetensors"
    if not path.exists():
        t = time.time()
        with Stages()(ROWS["fusion"], warm) as tick: warm_fusion(m, data, split, warm, seed=seed, tick=tick)
        save_file({k: v.contiguous() for k, v in m.state_dict().items() if k.startswith(("fusion.", "match."))}, path, metadata=dict(seconds=f"{time.time()-t:.1f}"))
    with safe_open(path, "pt") as f: seconds += float(f.metadata()["seconds"])
    m.load_state_dict(load_file(path), strict=False)
    more = dict(vectors_seconds=seconds, warmed=warm)                                                   # of vectors and warm-up, whenever they were
    if row=="fusion": return FusionAlone(m), more
    with Stages()(ROWS[row], how.steps) as tick: fit(m, data, split, how, NEGATIVES, WORK/f"{data.name}-{a.backbone}-{a.depth or 'all'}{'-bf16' if a.precision=='bf16' else ''}-{how.steps}-{len(split.train)}-{row}-s{seed}.safetensors", True, tick)
    return m, more | dict(steps=how.steps, batch=how.batch, depth=a.depth, backbone=a.backbone, tuned="LoRA", precision=a.precision, lesson=lesson, aligned=resting(cfg, how.steps))


def large(data, split, row, seed, a):
    "Titles, or LLaRA"
    from tmf_nb.data.core import Stages
    from tmf_nb.llm.backbone import load_backbone
    from tmf_nb.llm.tmf import TMF, TMFCfg, fit
    from tmf_nb.practice.run import RunCfg, tuning
    from tmf_nb.rivals.llara import LLaRA, id_vectors
    b = tiny(data, split, seed, 0) if a.backbone=="tiny" else load_backbone("smollm2", a.depth)
    how = tuning(RunCfg(backbone=a.backbone, seed=seed, steps=a.steps), "text")
    how = replace(how, precision=a.precision)
    if not a.steps: how = replace(how, steps=ROUNDS*len(split.train)//how.batch)
    if a.whole: how = replace(how, lr=LR)
    ids, seconds = small(data, split, "gru4rec" if row.endswith("gru4rec") else "sasrec", seed)
    vectors = id_vectors(ids, len(data.behaviors))
    m = (TMF if row=="titles" else LLaRA)(b, vectors, data.catalog.names, data.behaviors, TMFCfg(rung="text", objective="lm", lora_r=0 if a.whole else 8, schedule="none" if row=="titles" else "continuous", backbone=a.backbone, depth=a.depth, seed=seed))
    with Stages()(ROWS[row], how.steps) as tick: fit(m, data, split, how, NEGATIVES, WORK/f"{data.name}-{a.backbone}-{a.depth or 'all'}{'-whole' if a.whole else ''}{'-bf16' if a.precision=='bf16' else ''}-{how.steps}-{len(split.train)}-{row}-s{seed}.safetensors", True, tick)
    return m, dict(vectors_seconds=seconds, steps=how.steps, batch=how.batch, depth=a.depth, backbone=a.backbone, tuned="all" if a.whole else "LoRA", precision=a.precision)


def main():
    import numpy as np
    import torch
    from tmf_nb.data.core import load_json, run_record, save_json
    from tmf_nb.data.metrics import generation_metrics, hits_at, interval, paired
    from tmf_nb.llm.tmf import generate
    from tmf_nb.rivals.sequential import Popularity
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("folder", type=Path)
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--rows", nargs="+", default=list(ROWS), choices=list(ROWS), metavar="NAME", help=", ".join(ROWS))
    p.add_argument("--backbone", default="tiny", choices=["tiny", "smollm2"])
    p.add_argument("--depth", type=int, help="SmolLM2: layers")
    p.add_argument("--whole", action="store_true", help="all weights of the tiny backbone move")
    p.add_argument("--precision", default="no", choices=["no", "bf16"], help="of products, while titles and LLaRA learn and while every row with a language model answers")
    p.add_argument("--steps", type=int, help="of every language model")
    p.add_argument("--judge", type=int, default=JUDGE, help="questions of the second kind")
    a = p.parse_args()
    if a.whole and a.backbone!="tiny": p.error("--whole is for the tiny backbone, which was made on the spot")
    WORK.mkdir(parents=True, exist_ok=True)
    data, split, sets, people = scene(a.folder, a.judge)
    print(f"{data}; {len(split.train):,} questions to learn from; " + ", ".join(f"{k}: {len(s)}" for k, s in sets.items()), flush=True)
    for seed in a.seeds:
        for row in a.rows:
            lm = row not in PLAIN
            if row=="popular" and seed: continue
            path = OUT/(f"{data.name}{f'-{a.backbone}-' + str(a.depth or 'all') if lm and a.backbone!='tiny' else ''}{'-whole' if lm and a.whole and row not in OURS else ''}{f'-steps-{a.steps}' if lm and a.steps else ''}{'-bf16' if lm and a.precision=='bf16' else ''}{f'-judge-{a.judge}' if a.judge!=JUDGE else ''}-{row}-s{seed}.json")
            if path.exists() and load_json(path)["data_hash"]==data.hash and load_json(path)["questions"]==len(split.train): continue
            t = time.time()
            m, more = ours(data, split, row, seed, a) if row in OURS else large(data, split, row, seed, a) if lm else (Popularity(data, split), {}) if row=="popular" else small(data, split, row, seed)
            if row in ("sasrec", "gru4rec"): more = dict(vectors_seconds=more)
            asked = {}
            for k, s in sets.items():
                right = np.array([c.answer for c in s.cases])
                with torch.autocast("cpu", torch.bfloat16, enabled=lm and a.precision=="bf16"): hit, said = hits_at(m.score(s.cases), right), generate(m, s.cases)[1] if lm else None
                if k in people: hit = np.array([hit[people[k]==u].mean() for u in np.unique(people[k])])   # windows of one listener are no independent questions
                asked[k] = dict(n=len(hit), questions=len(right), hr1=float(hit.mean()), interval=interval(hit.sum(), len(hit)) if k not in people else paired(hit, np.zeros(len(hit)))[1:], per_case=[round(float(h), 4) for h in hit], candidates_hash=s.hash)
                if lm: asked[k]["written"] = generation_metrics(said, right)
            save_json(path, run_record("llara", data.name, ROWS[row], seed, sum(x["n"] for x in asked.values()), {k: x["hr1"] for k, x in asked.items()}, data.hash, time.time()-t, row=row, asked=asked, questions=len(split.train), threads=torch.get_num_threads(), **more))
            print(f"seed {seed}  {ROWS[row]:16s} " + "  ".join(f"{k} {x['hr1']:.3f} [{x['interval'][0]:.3f}, {x['interval'][1]:.3f}]" + (f", written {x['written']['hr1_all']:.3f} (valid {x['written']['valid_ratio']:.2f})" if lm else "") for k, x in asked.items()) + f"  {time.time()-t:.0f} s", flush=True)


if __name__ == "__main__": main()
