"""Seconds an epoch and peak memory of every encoder and baseline, each in a process of its own: tools/scale.py -> results/scale/.

Three sizes of the demo Storefront (the same shop, more shoppers), and `electronics` at the size of the paper's Table 1.
"""
import subprocess, sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ("gru4rec", "sasrec", "bert4rec", "small", "mbht", "mbgcn", "mbrec", "tgt")
SIZES = ("demo-1500", "demo-3000", "demo-6000", "electronics")


def one(model, size):
    "Two epochs of one model, the second one counts"
    import time
    import torch
    torch.set_num_threads(1)
    from tmf_nb.data.candidates import leave_last_out
    from tmf_nb.data.core import peak_mb, run_record, save_json
    from tmf_nb.data.goods import PRESETS
    from tmf_nb.data.storefront import make_storefront
    from tmf_nb.studies.table2 import ROWS
    kind, _, users = size.partition("-")
    cfg = PRESETS[kind] if not users else replace(PRESETS[kind], users=int(users))
    dataset = make_storefront(cfg).dataset()
    split = leave_last_out(dataset)
    split = replace(split, valid=split.valid[:0])          # no validation: training alone is timed
    before, t0, p0 = peak_mb(), time.time(), time.process_time()
    epochs = 1 if kind == "electronics" else 2
    if model == "small":
        from tmf_nb.encoders.features import graph_encoder
        ends = [time.process_time()]
        graph_encoder("small", dataset, split, lambda *a: ends.append(time.process_time()), epochs=epochs, enough=1)
        seconds = ends[-1]-ends[-2]
    else: seconds = ROWS[model](dataset, split, 0, epochs=epochs).log[-1]["seconds"]
    r = run_record("scale", size, model, 0, int(split.visible.sum()), dict(epoch_seconds=round(seconds, 2), events=int(split.visible.sum()), items=len(dataset.catalog), users=len(dataset.log.user_ids)),
                   dataset.name, time.time()-t0, row=model, before_mb=before, processor_seconds=round(time.process_time()-p0, 2), threads=1)
    save_json(ROOT/"results"/"scale"/f"{size}-{model}-s0.json", r)
    print(size, model, r["metrics"]["events"], "events", r["metrics"]["epoch_seconds"], "s an epoch,", round(r["peak_mb"]), "MB", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1: one(*sys.argv[1:3])
    else:
        for size in SIZES:
            for model in MODELS:
                if not (ROOT/"results"/"scale"/f"{size}-{model}-s0.json").exists(): subprocess.run([sys.executable, __file__, model, size], check=False)
