"""Processor seconds of every stage, and the largest memory so far, while one thing grows: tools/growth.py [--axes users items history candidates] -> results/growth/.

Each size runs in a process of its own, on one thread, with a tiny backbone that has not been to school: what a stage costs does not depend on what the model knows.
"""
import argparse
import multiprocessing as mp
import time
from dataclasses import replace
from pathlib import Path

OUT = Path(__file__).resolve().parent.parent/"results"/"growth"
SIZES = dict(users=(3000, 6000, 12000, 24000), items=(1, 2, 4, 8), history=(5, 10, 20, 40), candidates=(11, 22, 44, 88))
ITEMS = {1: dict(looks=3), 2: dict(looks=6), 4: dict(products=4, looks=6), 8: dict(products=8, looks=6)}


def one(axis, size):
    "Every stage at one size"
    import torch
    torch.set_num_threads(1)
    from tmf_nb.data.candidates import draw, leave_last_out
    from tmf_nb.data.core import peak_mb, run_record, save_json
    from tmf_nb.data.goods import PRESETS
    from tmf_nb.data.storefront import make_storefront
    from tmf_nb.encoders.features import ItemFeatures, graph_encoder
    from tmf_nb.llm.backbone import TinyCfg
    from tmf_nb.llm.tmf import TMF, TMFCfg, fit, generate, score, tiny_backbone, warm_fusion
    from tmf_nb.llm.trainer import TrainCfg
    at = dict(users=6000, items=1, history=10, candidates=11) | {axis: size}
    began, stages = time.time(), {}

    class timed:
        def __init__(self, name): self.name = name
        def __enter__(self): self.since = time.process_time()
        def __exit__(self, *bad): stages[self.name] = dict(seconds=round(time.process_time()-self.since, 3), peak_mb=round(peak_mb()))
    with timed("make the shop"): data = make_storefront(replace(PRESETS["demo"], users=at["users"], **ITEMS[at["items"]])).dataset()
    with timed("fingerprint of the data, pictures drawn"): data.hash
    wrong = at["candidates"]-1
    with timed("split, and draw 1,000 questions"):
        split = leave_last_out(data)
        asked = draw(data, split.valid, wrong, limit=1000, max_history=at["history"]).cases
    with timed("graph encoder, an epoch"): graph = graph_encoder("small", data, split, epochs=1, max_history=at["history"])
    n, g = len(data.catalog), torch.Generator().manual_seed(0)
    yes, (z, r) = torch.ones(n, dtype=torch.bool), graph.vectors()
    tiny = tiny_backbone(data, split, TinyCfg(list_steps=1, window=4096), 0, at["history"], negatives=wrong)
    tmf = TMF(tiny, ItemFeatures(torch.randn(n, 128, generator=g), torch.randn(n, 128, generator=g), z, r, yes, yes, yes), data.catalog.names, data.behaviors, TMFCfg(max_history=at["history"]))
    warm_fusion(tmf, data, split, 2)
    with timed("warm-up of the fusion, 50 steps"): warm_fusion(tmf, data, split, 50)
    with timed("training, 10 steps of 32 cases"): fit(tmf, data, split, TrainCfg(steps=10, batch=32, micro=32), negatives=wrong)
    with timed("pointing, 128 cases"): score(tmf, asked[:128])
    with timed("writing, 64 cases"): generate(tmf, asked[:64])
    tokens = sum(len(tmf.prompts(c).ids) for c in asked[:64])/64
    shown = sum(len(c.history) for c in asked)/len(asked)
    save_json(OUT/f"{axis}-{size}.json", run_record("growth", f"storefront, {at['users']} shoppers", "tiny, unschooled", 0, len(asked), {k: s["seconds"] for k, s in stages.items()}, data.hash, time.time()-began,
              row=axis, size=dict(users=at["users"], items=n, history=shown, candidates=at["candidates"])[axis], stages=stages, events=int(split.visible.sum()), questions=len(split.train), items=n, tokens=round(tokens, 1), threads=1))
    print(axis, size, f"{tokens:.0f} tokens,", {k: (s["seconds"], s["peak_mb"]) for k, s in stages.items()}, flush=True)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--axes", nargs="+", default=list(SIZES), choices=list(SIZES))
    a = p.parse_args()
    for axis in a.axes:
        for size in SIZES[axis]:
            if (OUT/f"{axis}-{size}.json").exists(): continue
            child = mp.get_context("spawn").Process(target=one, args=(axis, size))
            child.start()
            child.join()
            if child.exitcode: raise SystemExit(f"{axis} {size}: the process ended with {child.exitcode}")
