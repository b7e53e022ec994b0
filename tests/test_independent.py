"Somebody else's GRU4Rec, SASRec and BERT4Rec (RecBole, a development dependency) agree with ours on a shop with a known answer"
import sys
from pathlib import Path
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("recbole")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent/"tools"))


@pytest.fixture(scope="module")
def shop():
    from tmf_nb.data.candidates import draw, leave_last_out
    from tmf_nb.data.schema import Dataset
    rng = np.random.default_rng(0)
    rows = [(u, int((s+k) % 25), "buy") for u in range(150) for s in [rng.integers(25)] for k in range(10)]
    ev = pd.DataFrame(rows, columns=["user_id", "item_id", "behavior"]).assign(timestamp=range(len(rows)))
    ds = Dataset.from_frames(pd.DataFrame(dict(item_id=range(25), title=[f"t{i}" for i in range(25)])), ev, ("buy",))
    sp = leave_last_out(ds)
    return ds, sp, draw(ds, sp.test)


@pytest.mark.parametrize("kind", ["GRU4Rec", "SASRec", "BERT4Rec"])
def test_both_learn_the_order(shop, kind):
    from agreement import KINDS, Theirs
    from tmf_nb.data.metrics import hits_at
    from tmf_nb.rivals.sequential import SequentialCfg, train_sequential
    ds, sp, test = shop
    answers = np.array([c.answer for c in test.cases])
    theirs = hits_at(Theirs(ds, sp, kind, 0, 15).score(test.cases), answers).mean()
    ours = hits_at(train_sequential(KINDS[kind.lower()], ds, sp, SequentialCfg(dim=32, max_history=20, epochs=40, tokens=300, lr=5e-3, dropout=.1, behaviors=False, patience=10)).score(test.cases), answers).mean()
    assert theirs > .5 and ours > theirs-.1, (theirs, ours)
