"""How fast, in ratios taken in one run: tools/bench.py [--parts training states decisions encoding profile catalogue] [--depth N] -> results/bench/.

Every part is measured against the usual way to do the same thing, round by round in turn, so that a busy machine slows both; a ratio is the median over rounds.
"""
import argparse
import statistics
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

OUT = Path(__file__).resolve().parent.parent/"results"/"bench"


def machine():
    "What this machine can do at best: products of matrices, and reading memory"
    import torch

    def best(f, n=7):
        f()
        out = []
        for _ in range(n):
            t = time.perf_counter()
            f()
            out.append(time.perf_counter()-t)
        return min(out)
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    q, p = (torch.randint(-127, 127, (2048, 2048), dtype=torch.int8) for _ in range(2))
    big = torch.randn(64_000_000)
    return dict(gflops=2*2048**3/best(lambda: a@b)/1e9, int8_gops=2*2048**3/best(lambda: torch._int_mm(q, p))/1e9, gbytes_per_second=big.numel()*4/best(lambda: big.sum())/1e9, threads=torch.get_num_threads())


def in_turn(ways, rounds, base):
    "Seconds of every way in each round, and how many times faster than `base` it is in the same round"
    seconds = {w: [] for w in ways}
    for r in range(rounds):
        for w, f in ways.items():
            t = time.perf_counter()
            f()
            seconds[w].append(time.perf_counter()-t)
            print(f"  round {r+1}: {w:45s} {seconds[w][-1]:7.2f} s", flush=True)
    return {w: dict(seconds=[round(x, 3) for x in s], ratio=round(statistics.median(b/x for b, x in zip(seconds[base], s)), 3)) for w, s in seconds.items()}


def scene(depth, features=None, rung="cma", backbone="smollm2", **kw):
    "The demo Storefront, its split, and a TMF on SmolLM2 (or on an unschooled tiny backbone) that is to be trained on it"
    import torch
    from tmf_nb.data.candidates import leave_last_out
    from tmf_nb.data.storefront import make_storefront
    from tmf_nb.encoders.features import ItemFeatures
    from tmf_nb.llm.backbone import TinyCfg, load_backbone, make_tiny
    from tmf_nb.llm.tmf import TMF, TMFCfg
    data = make_storefront("demo").dataset()
    split = leave_last_out(data)
    n, g = len(data.catalog), torch.Generator().manual_seed(0)
    if features is None:
        yes = torch.ones(n, dtype=torch.bool)
        features = ItemFeatures(torch.randn(n, 128, generator=g), torch.randn(n, 128, generator=g), torch.randn(n, 64, generator=g), torch.randn(len(data.behaviors), 64, generator=g), yes, yes, yes)
    made = load_backbone("smollm2", depth) if backbone=="smollm2" else make_tiny(data.catalog.names, cfg=TinyCfg(list_steps=1))
    return data, split, TMF(made, features, data.catalog.names, data.behaviors, TMFCfg(backbone=backbone, depth=depth, rung=rung, **kw))


def plain_layers(tmf, plain):
    "Let the LoRA layers compute as peft wrote them, or in one pass"
    from peft.tuners.lora import Linear
    from tmf_nb.llm.trainer import one_pass_
    if not plain: return one_pass_(tmf.lm)
    for m in tmf.lm.modules():
        if type(m).__name__ == "OnePassLinear": m.__class__ = Linear


def training(depth, rounds, cases):
    "One optimiser step on hybrid prompts: the usual trainer, then one change after the other"
    import torch
    from transformers import Trainer, TrainingArguments
    from tmf_nb.data.candidates import CaseMaker
    from tmf_nb.llm.trainer import TrainCfg, train
    from tmf_nb.practice.work import counted, plain_loss
    data, split, tmf = scene(depth, objective="lm", noise=0., dropout=0.)
    maker, first, losses, work, batch = CaseMaker(data, 10, 10, split.visible), {k: v.clone() for k, v in tmf.state_dict().items()}, {}, {}, {}
    for draws in (1, 8): batch[draws] = maker.batch(split.train, cases, 0, 0, draws=draws)

    class Usual(Trainer):
        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None): return plain_loss(tmf, inputs["cases"])

    def start(name, plain=False):
        "The same weights for every way"
        tmf.load_state_dict(first)
        plain_layers(tmf, plain)
        tmf.train()
        return name

    def usual(draws):
        name = start(f"usual trainer, {draws}", plain=True)
        args = TrainingArguments("unused", per_device_train_batch_size=cases, max_steps=1, learning_rate=1e-3, adam_beta2=.98, lr_scheduler_type="constant", weight_decay=0., report_to=[], save_strategy="no", disable_tqdm=True, remove_unused_columns=False, use_cpu=not torch.cuda.is_available(), logging_steps=1)
        trainer = Usual(tmf, args, train_dataset=batch[draws], data_collator=lambda x: dict(cases=list(x)))
        with counted(tmf) as work[name]: trainer.train()
        losses[name] = trainer.state.log_history[0]["loss"]

    def ours(name, draws, loss=None, precision="no", micro=cases, how=nullcontext):
        start(name)
        loss = loss or (lambda c: tmf.read(c, objective="lm")[0])
        shown = sorted(batch[draws], key=lambda c: len(c.history))
        groups = dict(lora=tmf.groups()["lora"], fusion=[p for n in ("fusion", "adaptor") for p in tmf.groups()[n]])
        with counted(tmf) as work[name], how(): rows = train(groups, lambda step, k: (loss(shown[k*micro:(k+1)*micro]), {}), TrainCfg(steps=1, batch=cases, micro=micro, lr=1e-3, lr_fusion=1e-3, decay=0., precision=precision))
        losses[name] = rows[0]["loss"]
    found = {}
    for draws in (1, 8):
        ways = {f"usual trainer, {draws}": lambda: usual(draws), f"LoRA in one pass, {draws}": lambda: ours(f"LoRA in one pass, {draws}", draws, lambda c: plain_loss(tmf, c)),
                f"logits of answers only, {draws}": lambda: ours(f"logits of answers only, {draws}", draws, how=lambda: padded(False)), f"and the last layer, {draws}": lambda: ours(f"and the last layer, {draws}", draws, how=padded), f"no padding, {draws}": lambda: ours(f"no padding, {draws}", draws, how=apart),
                f"what is alike once, {draws}": lambda: ours(f"what is alike once, {draws}", draws)}
        if draws==1: ways |= {"four at a time, 1": lambda: ours("four at a time, 1", 1, micro=4), "bf16 products, 1": lambda: ours("bf16 products, 1", 1, precision="bf16")}
        found |= in_turn(ways, rounds, f"usual trainer, {draws}")
    for w, r in found.items(): r |= dict(loss=losses[w], cases_per_second=round(cases/statistics.median(r["seconds"]), 3), calls=work[w].calls, positions=work[w].positions, finished=work[w].finished, logits=work[w].logits)
    size = next(iter(work.values()))
    return dict(ways=found, cases=cases, weights=size.weights, last=size.last, head=size.head, prompt=statistics.mean(len(tmf.prompts(c).ids) for c in batch[1]), shared=statistics.mean(tmf.prompts(c).fork for c in batch[1])), data


def apart():
    "Nothing is shared: every prompt, and what several begin with, as often as it is asked"
    from tmf_nb.llm import decode
    return mock.patch.object(decode, "_common", lambda a, b, most: 0)


@contextmanager
def padded(last=True):
    "Every prompt in a row of its own, as long as the longest, and in the last layer what is wanted, or everything"
    import torch
    from tmf_nb.llm.backbone import Backbone, Rows
    real = Backbone.states

    def states(b, embedded, rows, wanted=None):
        R, K = rows.tokens.shape
        full = Rows(rows.positions.new_zeros(R, K).masked_scatter(rows.own, rows.positions).flatten(), torch.arange(R*K).view(R, K), torch.ones(R, K, dtype=torch.bool), rows.mask)
        fill = lambda x: x.new_zeros(R, K, *x.shape[1:]).masked_scatter(rows.own.view(R, K, *[1]*(x.ndim-1)), x).flatten(0, 1)
        return real(b, fill(embedded), full, fill(wanted) if last and wanted is not None else None)[rows.own.flatten()]
    with apart(), mock.patch.object(Backbone, "states", states): yield


def states(rounds, cases):
    "Forwards and back over the same questions, with the states of all tokens or with those that are read"
    from tmf_nb.data.candidates import CaseMaker
    from tmf_nb.llm.backbone import Backbone
    from tmf_nb.practice.work import counted
    found, real = {}, Backbone.states
    for name, depth in (("tiny", None), ("SmolLM2, 6 layers", 6)):
        data, split, tmf = scene(depth, backbone="tiny" if name=="tiny" else "smollm2", noise=0., dropout=0.)
        shown, losses, rows = CaseMaker(data, 10, 10, split.visible).batch(split.train, cases, 0, 0), {}, {}
        tmf.train()

        def step(way, everything):
            with counted(tmf) as work, mock.patch.object(Backbone, "states", lambda b, e, rows, wanted=None: real(b, e, rows, None if everything else wanted)):
                tmf.zero_grad(set_to_none=True)
                loss = tmf.read(shown, objective="lm+pointer")[0]
                loss.backward()
            losses[way], rows[way] = loss.item(), work.finished
        ways = {f"{name}, all states": True, f"{name}, those that are read": False}
        for w, r in in_turn({w: (lambda w=w, x=x: step(w, x)) for w, x in ways.items()}, rounds, f"{name}, all states").items(): found[w] = r | dict(loss=losses[w], rows=rows[w], cases_per_second=round(cases/statistics.median(r["seconds"]), 3))
    return dict(ways=found, cases=cases), data


def decisions(depth, rounds, cases):
    "Eleven candidates, one choice: written by `generate` sixteen at a time, against one pass, and against eight bits"
    import copy
    import numpy as np
    import torch
    from tmf_nb.data.candidates import CaseMaker, draw
    from tmf_nb.data.core import Stages
    from tmf_nb.data.metrics import hits_at, paired
    from tmf_nb.llm.decode import named, pad_left, write_freely
    from tmf_nb.llm.eight_bits import eight_bits
    from tmf_nb.llm.tmf import fit, generate, score, warm_fusion
    from tmf_nb.llm.trainer import TrainCfg
    from tmf_nb.practice.run import RunCfg, item_features
    from tmf_nb.practice.work import counted
    data, split, _ = scene(1)
    features, _ = item_features(RunCfg(), data, split, Stages(quiet=True))
    data, split, tmf = scene(depth, features, objective="lm+pointer", warm=1000)
    warm_fusion(tmf, data, split, 1000)
    fit(tmf, data, split, TrainCfg(steps=12, batch=16, micro=16, lr=1e-3, lr_fusion=1e-5, lr_adaptor=5e-3, draws=4))
    asked = draw(data, split.valid, limit=cases).cases
    answers, small, chosen, work = np.array([c.answer for c in asked]), eight_bits(tmf), {}, {}
    merged = copy.deepcopy(tmf)
    merged.lm.merge_adapter()
    several = CaseMaker(data, 10, 10, split.visible).batch(split.valid, cases, 5, 0, draws=8)

    @torch.no_grad()
    def usual(literally=False):
        "Batches of sixteen as they come, padded on the left; each stops when all its lines have ended, or, literally, after the end of the text or the 64 tokens that LLaRA's code asks for (answers end with a new line, which is not the end)"
        plain_layers(tmf, True)
        out, prompts, tokenizer = [], tmf.prompts, tmf.backbone.tokenizer
        shown = lambda i: tokenizer.decode(prompts.name(i)).strip()
        for k in range(0, cases, 16):
            enc = [prompts(c) for c in asked[k:k+16]]
            ids = torch.full((len(enc), max(len(e.ids) for e in enc)), tokenizer.pad_token_id)
            for r, e in enumerate(enc): ids[r, :len(e.ids)] = torch.tensor(e.ids)
            emb = tmf.embed(enc, ids)
            rows, alive = pad_left([emb[r, :len(e.ids)] for r, e in enumerate(enc)])
            said = tokenizer.batch_decode(tmf.lm.generate(inputs_embeds=rows, attention_mask=alive.long(), do_sample=False, max_new_tokens=64, pad_token_id=tokenizer.pad_token_id), skip_special_tokens=True) if literally else write_freely(tmf.lm, rows, alive, tokenizer, (tmf.backbone.item_id, tmf.backbone.behavior_id), prompts._tokens("\n")[-1], prompts.max_name+1)
            out += [named(t, [shown(i) for i in e.case.candidates]) for t, e in zip(said, enc)]
        plain_layers(tmf, False)
        return np.array(out)

    def alone():
        "The same choices, nothing shared"
        with apart(): return score(merged, several, by="pointer")

    def one_product(self, x):
        "An eight-bit layer without memory, which a compiler can join to what stands around it"
        v = x.reshape(-1, x.shape[-1])
        scale = v.abs().amax(1, keepdim=True).clamp_min(1e-12)/127
        return (torch._int_mm((v/scale).round().to(torch.int8), self.weight).float()*scale*self.scale).view(*x.shape[:-1], -1)
    compiled = copy.deepcopy(small)
    for layer in compiled.backbone.inner.base_model.layers:
        for m in layer.mlp.children():
            if hasattr(m, "rounded"): m.forward = one_product.__get__(m)
        layer.mlp.compile(dynamic=True)
    t = time.perf_counter()
    score(compiled, asked[:8], by="pointer")
    compiling = time.perf_counter()-t

    def way(name, f):
        def run():
            with counted(compiled if "compiled" in name else small if "eight bits" in name else merged if f is alone or "merged" in name or name=="eight choices a shopper" else tmf) as work[name]: chosen[name] = f()
        return run
    ways = {"written, sixteen at a time": usual, "written, sixteen at a time, 64 tokens": lambda: usual(True), "written, by length": lambda: generate(tmf, asked)[1], "likelihood": lambda: score(tmf, asked, by="likelihood"), "pointer": lambda: score(tmf, asked, by="pointer"),
            "written, eight bits": lambda: generate(small, asked)[1], "likelihood, merged": lambda: score(merged, asked, by="likelihood"), "pointer, merged": lambda: score(merged, asked, by="pointer"), "likelihood, eight bits": lambda: score(small, asked, by="likelihood"), "pointer, eight bits": lambda: score(small, asked, by="pointer"), "pointer, eight bits, compiled": lambda: score(compiled, asked, by="pointer"),
            "eight choices, each alone": alone, "eight choices a shopper": lambda: score(merged, several, by="pointer"), "eight choices a shopper, eight bits": lambda: score(small, several, by="pointer")}
    found = in_turn({w: way(w, f) for w, f in ways.items()}, rounds, "written, sixteen at a time")
    hits = {w: (c==answers).astype(float) if c.ndim==1 else hits_at(c, answers) for w, c in chosen.items() if "choices" not in w}
    for w, r in found.items():
        r |= dict(choices_per_second=round(cases/statistics.median(r["seconds"]), 2), calls=work[w].calls, positions=work[w].positions, finished=work[w].finished, logits=work[w].logits)
        if w in hits: r["hr1"] = float(hits[w].mean())
        if ", eight bits" in w and w in hits: r["hr1_minus_32_bits"] = paired(hits[w], hits["written, by length" if w.startswith("written") else w.split(",")[0]])
    size = work["pointer"]
    return dict(ways=found, cases=cases, weights=size.weights, last=size.last, head=size.head, compiling=round(compiling, 1), written_names=int((chosen["written, sixteen at a time"]>=0).sum())), data


def encoding(rounds, cases):
    "Pictures and texts through open_clip: one by one, as `Encoder` does it, and in eight bits, with random weights, which cost the same; and the training of the small model"
    import open_clip
    import torch
    from torch.nn.functional import normalize
    from tmf_nb.data.storefront import make_storefront
    from tmf_nb.encoders import clip
    from tmf_nb.encoders.clip import Encoder, SmallCfg, new_clip, to_float, to_square, train_small
    data = make_storefront("demo").dataset()
    catalog, ways, worst = data.catalog, {}, {}
    catalog = type(catalog)(catalog.frame.iloc[:cases], catalog.pictures)
    small, arch = SmallCfg(), "ViT-B-32"
    model, _, prepare = open_clip.create_model_and_transforms(arch)
    encoders = dict(small=Encoder(new_clip(small).eval(), open_clip.SimpleTokenizer(context_length=small.context), lambda im: to_float(to_square(im, small.size)), "small"), **{arch: Encoder(model.eval(), open_clip.get_tokenizer(arch), prepare, arch)})
    rounded = {arch: encoders[arch].eight_bits()}
    texts = [f"{t} ({k})" for k, t in enumerate(catalog.texts)]            # all different: no gain from repeats

    @torch.no_grad()
    def loop(e, what):
        if what=="pictures": return torch.cat([normalize(e.model.encode_image(e.prepare(catalog.picture(i))[None]).float(), dim=1) for i in range(len(catalog))])
        return torch.cat([normalize(e.model.encode_text(e.tokenizer([t])).float(), dim=1) for t in texts])
    got, found = {}, {}
    for name, e in encoders.items():
        for what in ("pictures", "texts"):
            base, mine, low = f"{what}, {name}, one by one", f"{what}, {name}", f"{what}, {name}, eight bits"
            several = lambda e: e.images(catalog)[0] if what=="pictures" else e.texts(texts)
            ways = {base: lambda: got.__setitem__(base, loop(e, what)), mine: lambda: got.__setitem__(mine, several(e))}
            if name in rounded: ways[low] = lambda: got.__setitem__(low, several(rounded[name]))
            found |= in_turn(ways, rounds, base)
            worst[mine] = dict(largest_difference=float((got[base]-got[mine]).abs().max()))
            if name in rounded: worst[low] = dict(smallest_cosine=float((got[base]*got[low]).sum(1).min()))
    for w, r in found.items(): r |= dict(items_per_second=round(cases/statistics.median(r["seconds"]), 1), **worst.get(w, {}))
    adam, lesson, few = torch.optim.AdamW, "training of small", 12

    def usual():
        "Colours outermost, one weight after the other, every text to its full length"
        with mock.patch.object(torch.optim, "AdamW", lambda *a, fused=None, **k: adam(*a, **k)), mock.patch.object(clip, "new_clip", lambda c: new_clip(c).to(memory_format=torch.contiguous_format)), mock.patch.object(Encoder, "_words", lambda e, ids: e.model.encode_text(ids)): train_small(catalog, SmallCfg(steps=few))
    timed = in_turn({f"{lesson}, usual": usual, lesson: lambda: train_small(catalog, SmallCfg(steps=few))}, rounds, f"{lesson}, usual")
    for r in timed.values(): r |= dict(items_per_second=round(few*SmallCfg().batch/statistics.median(r["seconds"]), 1))
    return dict(ways=found | timed, cases=cases), data


def catalogue(rounds, cases):
    "Every item of `electronics` (the paper's Table 1) through the small encoder, from drawing its picture to vectors on the disk; the memory is that of this process, so run it alone"
    import tempfile
    import threading
    from tmf_nb.data.core import Stages, peak_mb
    from tmf_nb.data.storefront import make_storefront
    from tmf_nb.encoders.features import encode_items
    data = make_storefront("electronics").dataset()
    n, stages, seen, over = len(data.catalog), Stages(), [], threading.Event()
    start = time.perf_counter()

    def watch():
        while not over.wait(2): seen.append([round(time.perf_counter()-start, 1), round(float(next(x for x in open("/proc/self/status") if x.startswith("VmRSS")).split()[1])/1024)])
    before, watcher = peak_mb(), threading.Thread(target=watch)
    watcher.start()
    try:
        with tempfile.TemporaryDirectory() as d: out = encode_items(data, cache=d, stages=stages)
    finally: over.set()
    watcher.join()
    seconds = time.perf_counter()-start
    return dict(ways={"electronics, small": dict(seconds=[round(seconds, 1)], ratio=1., items_per_second=round(n/seconds, 1))}, cases=n, stages=dict(stages.seconds), memory=seen, before_mb=round(before), peak_mb=round(peak_mb()), width=out["image"].shape[1]), data


def profile(rounds, cases):
    "Where an epoch of each graph encoder and sequential rival goes: operations of torch, and functions of Python"
    import cProfile
    import pstats
    from pathlib import Path as P
    import torch
    from torch.profiler import ProfilerActivity, profile as watch
    from tmf_nb.encoders.features import GRAPHS, graph_encoder
    from tmf_nb.studies.table2 import ROWS
    from scale import shop
    torch.set_num_threads(1)
    data, split = shop("demo-1500")
    ways = {}
    for m in (*GRAPHS, "gru4rec", "sasrec", "bert4rec"):
        run = (lambda: graph_encoder("small", data, split, epochs=1, enough=1)) if m=="small" else (lambda: ROWS[m](data, split, 0, epochs=1))
        run()
        t = time.perf_counter()
        with watch(activities=[ProfilerActivity.CPU]) as w: run()
        seconds = time.perf_counter()-t
        ops = sorted(w.key_averages(), key=lambda o: -o.self_cpu_time_total)
        whole = sum(o.self_cpu_time_total for o in ops)
        code = cProfile.Profile()
        code.runcall(run)
        stats = pstats.Stats(code)
        calls = sorted(((v[2], f"{P(f[0]).name}: {f[2]}", v[0]) for f, v in stats.stats.items()), reverse=True)
        own = sorted(((v[2], f"{P(f[0]).name}: {f[2]}", v[0]) for f, v in stats.stats.items() if "tmf_nb" in f[0]), reverse=True)
        part = lambda rows: [[n, round(x/stats.total_tt, 3), c] for x, n, c in rows[:3]]
        ways[m] = dict(seconds=[round(seconds, 2)], ratio=1., operations=[[o.key, round(o.self_cpu_time_total/whole, 3), o.count] for o in ops[:3]], functions=part(calls), ours=part(own))
    return dict(ways=ways, cases=int(split.visible.sum()), users=len(data.log.user_ids), items=len(data.catalog)), data


def main():
    from tmf_nb.data.core import run_record, save_json
    p = argparse.ArgumentParser(description=__doc__)
    parts = dict(training=(training, 16), states=(states, 16), decisions=(decisions, 96), encoding=(encoding, 256), profile=(profile, 0), catalogue=(catalogue, 0))
    p.add_argument("--parts", nargs="+", default=list(parts)[:5], choices=list(parts), help="all but catalogue, which takes long, if not given")
    p.add_argument("--depth", type=int, default=30, help="layers of SmolLM2")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--cases", type=int, help="questions; fewer for a trial")
    a = p.parse_args()
    for part in a.parts:
        f, cases = parts[part]
        t, best = time.time(), machine()
        print(part, {k: round(v, 1) for k, v in best.items()}, flush=True)
        smol = part in ("training", "decisions")
        got, data = f(a.depth, a.rounds, a.cases or cases) if smol else f(a.rounds, a.cases or cases)
        for w, r in got["ways"].items(): print(f"{w:45s} x{r['ratio']:.2f}", {k: v for k, v in r.items() if k not in ("seconds", "ratio")})
        save_json(OUT/(f"{part}-smollm2-{a.depth}.json" if smol else f"{part}.json"), run_record("bench", data.name, f"SmolLM2, {a.depth} layers" if smol else "open_clip" if part in ("encoding", "catalogue") else "tiny and SmolLM2" if part=="states" else "encoders and rivals", 0, got["cases"], {w: r["ratio"] for w, r in got["ways"].items()}, data.hash, time.time()-t, row=part, part=part, machine=best, depth=a.depth, rounds=a.rounds, **got))


if __name__ == "__main__": main()
