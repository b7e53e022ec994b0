"""Run every notebook with nbdev's test runner, each in a process of its own, and hold what is saved against what its cells give (`tools/test_nb.py`); then pytest; end with `N passed, N failed`.

The processes are forked from one that has imported the large libraries already, so that none of them waits for that; of tmf_nb only the package itself, which imports nothing.
Cells flagged in settings.ini (`tst_flags`) are skipped. NB_WORKERS sets how many notebooks run at once (default: 2)."""
import multiprocessing, os, re, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

LARGE = ["tmf_nb", "torch", "pandas", "pyarrow", "scipy.stats", "matplotlib.pyplot", "sklearn.linear_model", "transformers.models.llama.modeling_llama", "peft", "open_clip", "torch_geometric.nn", "IPython", "nbdev.test"]


def one(nb, forks, room):
    from test_nb import apart
    t, said = time.time(), Path(room)/f"{nb.parent.name}-{nb.stem}.txt"
    p = forks.Process(target=apart, args=(nb, said)); p.start(); p.join()
    text = said.read_text() if said.exists() else ""
    ok = p.exitcode == 0 and "Success." in text
    print(f"{'ok  ' if ok else 'FAIL'} {time.time()-t:6.1f} s  {nb}", flush=True)
    if not ok: print(f"{text[-4000:]}\nexit code {p.exitcode}", flush=True)
    return ok


def main():
    os.chdir(Path(__file__).resolve().parent.parent)
    own = dict(os.environ)
    books = sorted((p for p in Path("nbs").rglob("*.ipynb") if not any(x.startswith((".", "_")) for x in p.parts)), key=lambda p: ("00_run" not in p.name, p))
    with tempfile.TemporaryDirectory() as shared, tempfile.TemporaryDirectory() as room: # the chapter of one run comes first and leaves in `shared` the vectors of the tiny shop, which the command line would train again
        os.environ |= dict(OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", TMF_NB_SHARED=shared)
        forks, t0 = multiprocessing.get_context("forkserver"), time.time()
        forks.set_forkserver_preload(LARGE)
        with ThreadPoolExecutor(int(own.get("NB_WORKERS", 2))) as pool: done = list(pool.map(lambda nb: one(nb, forks, room), books))
    print(f"notebooks: {sum(done)} of {len(books)} in {time.time()-t0:.0f} s", flush=True)
    r = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", "tests"], capture_output=True, text=True, env=own)
    print(r.stdout + r.stderr)
    count = lambda word: sum(int(n) for n in re.findall(rf"(\d+) {word}", r.stdout.strip().split("\n")[-1]))
    passed, failed = sum(done) + count("passed"), len(books) - sum(done) + count("failed") + count("error")
    if r.returncode and not failed: failed = 1
    print(f"{passed} passed, {failed} failed", flush=True)
    sys.exit(bool(failed) or not passed)


if __name__ == "__main__": main()
