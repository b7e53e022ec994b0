"""The site, into _docs/: nbdev processes the notebooks, then Quarto renders them where it is installed, else smalldocs.

With smalldocs, mathematics becomes MathML here and plotly.js is copied beside the pages, so that an open page asks no other host for anything."""
import re, shutil, subprocess, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
proc, out = root/"_proc", root/"_docs"

def process():
    "What nbdev_proc_nbs does, without asking for the quarto program"
    from nbdev.serve import proc_nbs
    f = getattr(proc_nbs, "__wrapped__", proc_nbs)
    shutil.rmtree(proc, ignore_errors=True)
    f(path=str(root/"nbs"), n_workers=1, force=True)
    if not (proc/"_quarto.yml").exists(): shutil.copy(root/"_quarto.yml", proc/"_quarto.yml")

def mathml(page):
    "Replace TeX by MathML and drop the scripts that would have drawn it; returns the formulas that could not be converted"
    import html
    from latex2mathml.converter import convert
    bad = []
    def sub(m):
        tex = html.unescape(m.group(3)).strip()
        show = m.group(1) == "display"
        tex = re.sub(r"\\tfrac", r"\\frac", tex); tex = re.sub(r"\\[bB]igg?[lr]?(?=[\[\](){}|\\])", "", tex).replace("\\!", "").replace("\\mathrm{sm}", "\\operatorname{sm}")
        tex = re.sub(r"(\d)\\frac(\d)", r"\1\\frac \2", tex)
        try: return f'<span class="math {m.group(1)}">' + convert(tex, display="block" if show else "inline") + "</span>"
        except Exception as e: bad.append((tex, repr(e))); return m.group(0)
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'<span class="math (inline|display)">\\([(\[])(.*?)\\[)\]]</span>', sub, text, flags=re.S)
    text = re.sub(r'<(?:link|script)[^>]*katex[^>]*>(?:</script>)?', "", text)
    page.write_text(text, encoding="utf-8")
    return bad

def local_plotly(page):
    text = page.read_text(encoding="utf-8")
    new = re.sub(r'https://cdn\.plot\.ly/plotly[^"\']*\.js', "/".join([".."]*len(page.relative_to(out).parts[:-1]) + ["site_libs/plotly.min.js"]), text)
    if new != text:
        import plotly
        dst = out/"site_libs"/"plotly.min.js"; dst.parent.mkdir(exist_ok=True)
        if not dst.exists(): shutil.copy(Path(plotly.__file__).parent/"package_data"/"plotly.min.js", dst)
        page.write_text(new, encoding="utf-8")

process()
if shutil.which("quarto"):
    subprocess.run(["quarto", "render", "--no-cache"], cwd=proc, check=True)
    shutil.rmtree(out, ignore_errors=True); shutil.move(proc/"_docs", out)
else:
    subprocess.run([Path(sys.executable).parent/"smalldocs", "render"], cwd=proc, check=True)
    built = proc/"_docs"
    shutil.rmtree(out, ignore_errors=True); shutil.move(built, out)
    bad = []
    for page in out.rglob("*.html"): bad += [(page.name, *b) for b in mathml(page)]; local_plotly(page)
    for b in bad: print("formula not converted:", *b)
    hosts = {m for p in out.rglob("*.html") for m in re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(https?://[^"]+)"', p.read_text(encoding="utf-8")) if "rel=\"canonical\"" not in m}
    if hosts: print("pages would ask other hosts for:", *sorted(hosts)[:5])
    if bad: sys.exit(1)
print(f"{len(list(out.rglob('*.html')))} pages in {out.name}/; open {out.name}/index.html or run: make preview")
