"""Our sequential models beside RecBole's on the same questions: tools/agreement.py FOLDER [seeds] -> results/agreement/."""
import sys
from pathlib import Path
import numpy as np
import independent
from tmf_nb.data.candidates import events_before, leave_last_out
from tmf_nb.data.harness import study
from tmf_nb.encoders.batches import CatalogScorer, LoopCfg, sequences
from tmf_nb.rivals.sequential import BERT4Rec, GRU4Rec, SASRec, SequentialCfg, train_sequential
from tmf_nb.studies.table2 import read_any

ROOT, H = Path(__file__).resolve().parent.parent, 20
KINDS = {"gru4rec": GRU4Rec, "sasrec": SASRec, "bert4rec": BERT4Rec}


class Theirs(CatalogScorer):
    "A RecBole model as a scorer of this book"
    def __init__(self, dataset, split, kind, seed, epochs):
        super().__init__(dataset, split, LoopCfg(max_history=H, seed=seed))
        self.name = f"{kind} by RecBole 1.2.1"
        s = sequences(dataset, split.visible, once=self.once)
        seqs = [x for x in (s.items[a:b].tolist() for a, b in zip(s.start, s.start[1:])) if len(x) > 1]
        rows = split.valid[np.sort(np.random.default_rng(0).permutation(len(split.valid))[:400])].tolist()
        hist = [dataset.log.items[events_before(dataset, u, p, 200, looks=split.looks)].tolist() for u, p in rows]
        if self.once: hist = [list(dict.fromkeys(h[::-1]))[::-1] for h in hist]
        answers = [int(dataset.log.items[p]) for _, p in rows]
        more = dict(whole=True, dropout=.2) if kind == "BERT4Rec" else dict(dropout=.2)
        self.theirs = independent.train(kind, seqs, len(dataset.catalog), seed=seed, max_length=H, epochs=epochs, valid=(hist, answers), stopping_step=3, **more)
        self.log = [dict(seconds=self.theirs.seconds/max(1, len(self.theirs.losses)))]*len(self.theirs.losses)

    def catalog(self, batch):
        import torch
        return torch.from_numpy(self.theirs.score([i[m].tolist() for i, m in zip(batch.items, batch.mask)]))


def main(data, seeds=(0, 1, 2), epochs=20):
    "Every pair, every seed; what is on the disk stays"
    dataset = read_any(data)
    split = leave_last_out(dataset)
    st = study("agreement", dataset, split, ROOT/"results", max_history=H)
    for seed in seeds:
        for k, kind in KINDS.items():
            ours = SequentialCfg(max_history=H, behaviors=False, seed=seed)
            a = st.judge(f"{k}-deaf", lambda: train_sequential(kind, dataset, split, ours), seed)
            b = st.judge(f"recbole-{k}", lambda: Theirs(dataset, split, kind.name, seed, epochs), seed)
            for r in (a, b): print(st.label, seed, r["row"], r["metrics"]["candidates"]["MRR"], r["metrics"]["full"]["MRR"], f"{r['seconds']:.0f} s", r["epochs"], "epochs", flush=True)


if __name__ == "__main__": main(sys.argv[1], *([tuple(map(int, sys.argv[2].split(",")))] if len(sys.argv) > 2 else []))
