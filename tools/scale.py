"""Seconds an epoch and peak memory of every encoder and baseline, each in a process of its own: tools/scale.py -> results/scale/.

Three sizes of the demo Storefront (the same shop, more shoppers), and `electronics` at the size of the paper's Table 1.
"""
import multiprocessing as mp
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ("gru4rec", "sasrec", "bert4rec", "small", "mbht", "mbgcn", "mbrec", "tgt")
SIZES = ("demo-1500", "demo-3000", "demo-6000", "electronics")


def shop(size):
    "Data and split of a size"
    from tmf_nb.data.candidates import leave_last_out
    from tmf_nb.data.goods import PRESETS
    from tmf_nb.data.storefront import make_storefront
    kind, _, users = size.partition("-")
    dataset = make_storefront(PRESETS[kind] if not users else replace(PRESETS[kind], users=int(users))).dataset()
    split = leave_last_out(dataset)
    return dataset, replace(split, valid=split.valid[:0])          # no validation: training alone is timed


def one(model, size, dataset, split):
    "Two epochs of one model, the second one counts; one epoch at the large size"
    from tmf_nb.data.core import peak_mb, run_record, save_json
    from tmf_nb.encoders.features import graph_encoder
    from tmf_nb.studies.table2 import ROWS
    before, t0, p0 = peak_mb(), time.time(), time.process_time()
    epochs = 1 if size == "electronics" else 2
    if model == "small":
        ends = [time.process_time()]
        graph_encoder("small", dataset, split, lambda *a: ends.append(time.process_time()), epochs=epochs, enough=1)
        seconds = ends[-1]-ends[-2]
    else: seconds = ROWS[model](dataset, split, 0, epochs=epochs).log[-1]["seconds"]
    r = run_record("scale", size, model, 0, int(split.visible.sum()), dict(epoch_seconds=round(seconds, 2), events=int(split.visible.sum()), items=len(dataset.catalog), users=len(dataset.log.user_ids)),
                   f"preset {size}, seed 0", time.time()-t0, row=model, before_mb=before, processor_seconds=round(time.process_time()-p0, 2), threads=1)
    save_json(ROOT/"results"/"scale"/f"{size}-{model}-s0.json", r)
    print(size, model, r["metrics"]["events"], "events", r["metrics"]["epoch_seconds"], "s an epoch,", round(r["peak_mb"]), "MB", flush=True)


if __name__ == "__main__":
    import torch
    torch.set_num_threads(1)
    for size in SIZES:
        todo = [m for m in MODELS if not (ROOT/"results"/"scale"/f"{size}-{m}-s0.json").exists()]
        data = shop(size) if todo else None
        for m in todo:
            p = mp.get_context("fork").Process(target=one, args=(m, size, *data))
            p.start(); p.join()
