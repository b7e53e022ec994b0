"""Run every notebook with nbdev's test runner, each in a process of its own, and hold what is saved against what its cells give (`tools/test_nb.py`); then pytest; end with `N passed, N failed`.

Cells flagged in settings.ini (`tst_flags`) are skipped. NB_WORKERS sets how many notebooks run at once (default: 2)."""
import os, re, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

root = Path(__file__).resolve().parent.parent
os.chdir(root)
bin_ = Path(sys.executable).parent
books = sorted((p for p in Path("nbs").rglob("*.ipynb") if not any(x.startswith((".", "_")) for x in p.parts)), key=lambda p: ("00_run" not in p.name, p))
shared = tempfile.TemporaryDirectory() # the chapter of one run comes first and leaves here the vectors of the tiny shop, which the command line would train again
env = dict(os.environ, OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", TMF_NB_SHARED=shared.name)

def one(nb):
    t = time.time()
    r = subprocess.run([sys.executable, "-W", "ignore", root/"tools"/"test_nb.py", nb], capture_output=True, text=True, env=env)
    ok = r.returncode == 0 and "Success." in r.stdout + r.stderr
    print(f"{'ok  ' if ok else 'FAIL'} {time.time()-t:6.1f} s  {nb}", flush=True)
    if not ok: print((r.stdout + r.stderr)[-4000:], flush=True)
    return ok

t0 = time.time()
with ThreadPoolExecutor(int(os.environ.get("NB_WORKERS", 2))) as pool: done = list(pool.map(one, books))
print(f"notebooks: {sum(done)} of {len(books)} in {time.time()-t0:.0f} s", flush=True)
r = subprocess.run([sys.executable, "-m", "pytest", "-q", "-rs", "tests"], capture_output=True, text=True)
print(r.stdout + r.stderr)
count = lambda word: sum(int(n) for n in re.findall(rf"(\d+) {word}", r.stdout.strip().split("\n")[-1]))
passed, failed = sum(done) + count("passed"), len(books) - sum(done) + count("failed") + count("error")
if r.returncode and not failed: failed = 1
print(f"{passed} passed, {failed} failed", flush=True)
sys.exit(bool(failed) or not passed)
