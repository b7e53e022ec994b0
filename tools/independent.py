"""GRU4Rec, SASRec and BERT4Rec by RecBole 1.2.1, driven from plain lists: a second opinion on our own models.

RecBole does the work: its dataset reader and prefix augmentation (one example per target, right padding), its
loader, its mask transform, its model classes with their own loss and scoring, its trainer (Adam) and its default
settings (`properties/*.yaml`).  The data go through its atomic files in a temporary folder.  RecBole is older than
numpy 2 and pandas 3, so some things differ from a plain `run_recbole`:

 1. `recbole.quick_start` is not imported (it wants ray): dataset, loader and trainer are put together here.
 2. A mock takes the place of tensorboard in RecBole: no further package, and no `log_tensorboard` folder.
 3. `Config` neither renews the names that numpy 2 dropped (this stops it at `np.float_`) nor reads the command line
    of the calling program.  The one old name still needed, `np.float`, exists only while `train` runs.
 4. All events are for training (no leave-one-out inside), the place in the sequence is the time, and an `.item` file
    lists all items, so that an item without a training event has a row (never rewarded) as well.
 5. Nothing is pickled: no checkpoints, no saved datasets or loaders.  With `valid`, RecBole's own early stopping
    runs (MRR@10 over all items, patience 10), and the best weights wait in memory instead of in a file.
 6. BERT4Rec: the transform draws a negative for each masked item, which cross entropy never uses and which takes
    for ever once a history holds all items; it gets item 1 instead.  An incomplete last batch is left out, since a
    small one may hold no mask, which gives a loss of 0/0 and stops the trainer.
 7. Importing RecBole's sequential models turns on torch's anomaly detection for the whole process (`sine.py`), which
    makes training 2 to 3 times slower, ours included (small models, measured); it is turned off again.
 8. BERT4Rec's scoring makes place for the mask by dropping the oldest item of every history, a short one too.  All
    positions are then one off from training, and from a history of one item it knows nothing.  So histories get a
    placeholder in front that is dropped instead; `score(..., literal=True)` leaves it out, as RecBole has it.

Ways of RecBole that are kept, but matter in a comparison: its BERT4Rec learns from the histories only and never sees
the last item of a training sequence (`whole=True` adds each whole sequence as one more history); it learns nothing
at the first place of a history, and from at most mask_ratio * max_length masked items of one (the newest).  Half of
its batches mask the last item only (`ft_ratio`).  Its GRU4Rec has width 128, here 64 like the others (`hidden`).
"""
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
import torch

_anomaly = torch.is_anomaly_enabled()
sys.modules['torch.utils.tensorboard'] = mock.MagicMock()
from recbole.config import Config
from recbole.data.dataloader import FullSortEvalDataLoader, TrainDataLoader
from recbole.data.dataset import SequentialDataset
from recbole.data.interaction import Interaction
from recbole.model.sequential_recommender import BERT4Rec, GRU4Rec, SASRec
from recbole.trainer import Trainer
from recbole.utils import init_seed
del sys.modules['torch.utils.tensorboard']
torch.autograd.set_detect_anomaly(_anomaly)

MODELS = {'GRU4Rec': GRU4Rec, 'SASRec': SASRec, 'BERT4Rec': BERT4Rec}

Lists = Sequence[Sequence[int]]


class _Config(Config):
    """RecBole's settings, without its changes to numpy and without the command line of the calling program."""
    def compatibility_settings(self) -> None: pass
    def _load_cmd_line(self) -> dict: return {}


@contextmanager
def _surroundings() -> Iterator[Path]:
    """A temporary folder, `np.float`, silence about old names, and the environment variables as before at the end."""
    with (tempfile.TemporaryDirectory() as folder, mock.patch.object(np, 'float', float, create=True),
          mock.patch.dict(os.environ), warnings.catch_warnings()):
        warnings.simplefilter('ignore')
        yield Path(folder)


def _batch(histories: Lists, ids: np.ndarray, length: int, front: int = 0, **more: torch.Tensor) -> Interaction:
    """The newest items of each history in RecBole's numbers, after `front` empty places, padded on the right with 0."""
    rows, sizes = np.zeros((len(histories), length), np.int64), np.zeros(len(histories), np.int64)
    for row, history in enumerate(histories):
        newest = np.asarray(history[front - length:], np.int64)
        rows[row, front:front + len(newest)], sizes[row] = ids[newest], front + len(newest)
    return Interaction({'item_id_list': torch.from_numpy(rows), 'item_length': torch.from_numpy(sizes), **more})


class Independent:
    """A trained RecBole model that scores all items after given histories."""
    def __init__(self, model: torch.nn.Module, ids: np.ndarray, losses: list[float], seconds: float):
        """The model, RecBole's number of each of our items, the summed loss of each epoch, the time it took."""
        self.model, self.ids, self.losses, self.seconds = model.eval(), ids, losses, seconds

    @torch.no_grad()
    def score(self, histories: Lists, batch: int = 1024, literal: bool = False) -> np.ndarray:
        """Scores (n, n_items), larger is better; all 0 after an empty history.  Items of the history are not barred."""
        front = int(isinstance(self.model, BERT4Rec) and not literal)
        scores = np.zeros((len(histories), len(self.ids)), np.float32)
        known = np.array([row for row, history in enumerate(histories) if len(history)], np.int64)
        for start in range(0, len(known), batch):
            rows = known[start:start + batch]
            data = _batch([histories[row] for row in rows], self.ids, self.model.max_seq_length, front)
            scores[rows] = self.model.full_sort_predict(data.to(self.model.device)).cpu().numpy()[:, self.ids]
        return scores


def train(
    model: str,                                  # 'GRU4Rec', 'SASRec' or 'BERT4Rec'
    sequences: Lists,                            # training sequences of item numbers 0..n_items-1, oldest first
    n_items: int,
    seed: int = 0,
    max_length: int = 50,
    epochs: int = 20,
    batch: int = 256,                            # RecBole's own is 2048
    lr: float = 1e-3,
    hidden: int = 64,                            # width of embeddings and hidden states
    layers: int | None = None,                   # None: as RecBole has it (GRU4Rec 1, the others 2)
    dropout: float | None = None,                # None: as RecBole has it (GRU4Rec .3, SASRec .5, BERT4Rec .2)
    whole: bool = False,                         # BERT4Rec: also learn from whole sequences, see above
    valid: tuple[Lists, Sequence[int]] | None = None,  # histories and their next items, for early stopping
    **settings,                                  # anything else by its RecBole name, such as mask_ratio
) -> Independent:
    """Train one of the three models by RecBole's recipe, on the CPU."""
    start, gru = time.perf_counter(), model == 'GRU4Rec'
    widths = {'hidden_size': hidden, **({'embedding_size': hidden} if gru else {'inner_size': 4 * hidden})}
    depth = {} if layers is None else {'num_layers' if gru else 'n_layers': layers}
    drops = ['dropout_prob'] if gru else ['hidden_dropout_prob', 'attn_dropout_prob']
    with _surroundings() as folder:
        home = folder / 'data'
        home.mkdir()
        (home / 'data.item').write_text('item_id:token\n' + ''.join(f'{item}\n' for item in range(n_items)))
        with open(home / 'data.inter', 'w') as file:
            file.write('user_id:token\titem_id:token\ttimestamp:float\n')
            for user, items in enumerate(sequences):  # with `whole`, a last target that BERT4Rec's loss never reads
                items = [*items, *items[-1:]] if whole and model == 'BERT4Rec' else items
                file.writelines(f'{user}\t{item}\t{place}\n' for place, item in enumerate(items))
        config = _Config(model, 'data', config_dict={
            'data_path': str(folder), 'checkpoint_dir': str(folder), 'gpu_id': '', 'show_progress': False,
            'load_col': {'inter': ['user_id', 'item_id', 'timestamp'], 'item': ['item_id']},
            'eval_args': {'split': {'RS': [1]}, 'order': 'TO', 'group_by': 'none', 'mode': 'full'},
            'metrics': ['MRR'], 'train_neg_sample_args': None, 'seed': seed, 'MAX_ITEM_LIST_LENGTH': max_length,
            'epochs': epochs, 'train_batch_size': batch, 'learning_rate': lr, **widths, **depth,
            **({} if dropout is None else dict.fromkeys(drops, dropout)), **settings})
        init_seed(seed, config['reproducibility'])
        data, = SequentialDataset(config).build()
        ids = data.token2id('item_id', [str(item) for item in range(n_items)])
        loader = TrainDataLoader(config, data, None, shuffle=True)
        if model == 'BERT4Rec':
            loader.transform._neg_sample = lambda items, n: 1
            loader.batch_sampler.drop_last = len(data) >= batch
        check = None
        if valid:
            answers = torch.from_numpy(ids[np.asarray(valid[1], np.int64)])
            asked = _batch(valid[0], ids, max_length, int(model == 'BERT4Rec'), user_id=answers * 0, item_id=answers)
            check = FullSortEvalDataLoader(config, data.copy(asked), None)
        init_seed(seed, config['reproducibility'])
        network, best = MODELS[model](config, data).to(config['device']), (-np.inf, None)

        def keep(epoch: int, value: float) -> None:
            """Remember the weights of the best epoch so far."""
            nonlocal best
            if value > best[0]: best = value, {name: part.clone() for name, part in network.state_dict().items()}

        trainer = Trainer(config, network)
        trainer.fit(loader, check, saved=False, callback_fn=keep)
        if best[1]: network.load_state_dict(best[1])
    return Independent(network, ids, list(trainer.train_loss_dict.values()), time.perf_counter() - start)
