"""Five checks: modules match notebooks, README matches the index, no undefined names, a built wheel imports without nbdev, and the site builds."""
import filecmp, os, shutil, subprocess, sys, tempfile
from pathlib import Path

root = Path(__file__).resolve().parent.parent
bin_ = Path(sys.executable).parent
sh = lambda *a, **k: subprocess.run([str(x) for x in a], capture_output=True, text=True, **k)

def modules():
    "Export in a copy and compare"
    with tempfile.TemporaryDirectory() as d:
        d = Path(d)/"copy"
        shutil.copytree(root, d, symlinks=True, ignore=shutil.ignore_patterns(".venv", ".git", "runs", "_docs", "_proc", "*.tmp", "__pycache__", "*.egg-info"))
        r = sh(bin_/"nbdev_export", cwd=d)
        if r.returncode: return r.stderr[-2000:]
        here, there = ({str(p.relative_to(b/"tmf_nb")): p for p in (b/"tmf_nb").rglob("*.py")} for b in (root, d))
        odd = sorted(set(here) ^ set(there)) + [k for k in sorted(set(here) & set(there)) if not filecmp.cmp(here[k], there[k], shallow=False)]
        return f"differ from their notebooks: {', '.join(odd)}; run: make export" if odd else ""

def readme():
    r = sh(sys.executable, root/"tools"/"readme.py", "--check"); return r.stderr.strip() if r.returncode else ""

def names():
    "pyflakes, undefined names only: a cell sees the whole notebook, a module does not"
    r = sh(sys.executable, "-m", "pyflakes", root/"tmf_nb")
    return "\n".join(l for l in r.stdout.split("\n") if "undefined name" in l)

BLOCK = """
import sys, pkgutil, importlib
class No:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('nbdev','execnb','ghapi'): raise ModuleNotFoundError(f'blocked: {name}')
sys.meta_path.insert(0, No()); sys.path.insert(0, sys.argv[1])
import tmf_nb
assert tmf_nb.__file__.startswith(sys.argv[1]), tmf_nb.__file__
mods = [m.name for m in pkgutil.walk_packages(tmf_nb.__path__, 'tmf_nb.') if not m.name.endswith('_modidx')]
for m in mods: importlib.import_module(m)
print(len(mods))
"""

def wheel():
    "Build the wheel, unpack it alone into a folder, and import every module with nbdev's packages blocked"
    with tempfile.TemporaryDirectory() as d:
        r = sh(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", d, root)
        if r.returncode: return r.stdout[-1000:] + r.stderr[-2000:]
        shutil.rmtree(root/"build", ignore_errors=True)
        r = sh(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", f"{d}/site", next(Path(d).glob("*.whl")))
        if r.returncode: return r.stderr[-2000:]
        r = sh(sys.executable, "-W", "ignore", "-c", BLOCK, f"{d}/site", cwd=d, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
        return r.stderr[-2000:] if r.returncode else ("" if int(r.stdout.split()[-1]) >= 15 else f"only {r.stdout} modules in the wheel")

def site():
    "The site builds, every formula is converted, and no page asks another host for anything"
    r = sh(sys.executable, root/"tools"/"docs.py", cwd=root); return r.stdout[-1500:] + r.stderr[-1500:] if r.returncode else ""

CHECKS = (modules, readme, names, wheel, site)
bad = 0
for f in CHECKS:
    why = f(); bad += bool(why)
    print(f"{'FAIL' if why else 'ok  '} {f.__name__}: {why or f.__doc__ or 'README.md matches nbs/index.ipynb'}", flush=True)
print(f"{len(CHECKS)-bad} passed, {bad} failed", flush=True)
sys.exit(bool(bad))
