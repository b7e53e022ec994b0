"""The site, into _docs/: nbdev processes the notebooks, then Quarto renders them where it is installed, else smalldocs.

With smalldocs, mathematics becomes MathML here and plotly.js is copied beside the pages, so that an open page asks no other host for anything."""
import ast, os, re, shutil, subprocess, sys
from pathlib import Path

root = Path(__file__).resolve().parent.parent
proc, out = root/"_proc", root/"_docs"

def anchors(source):
    "The names that nbdev may link to in an exported cell: functions and classes, the private ones too, and the methods as Class.method"
    try: body = ast.parse("\n".join("pass" if l.lstrip().startswith(("%", "!")) else l for l in source.splitlines())).body
    except SyntaxError: return []
    defs, found = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef), []
    for d in (n for n in body if isinstance(n, defs)):
        found += [d.name] + [f"{d.name}.{m.name}" for m in getattr(d, "body", []) if isinstance(d, ast.ClassDef) and isinstance(m, defs)]
    return found

def process():
    """What nbdev_proc_nbs does, without asking for the quarto program.

    nbdev shows an exported definition as a table of its arguments and hides the code. In this book the code is the explanation, with its arguments described in place: the cell stays as it is, behind an anchor for each name. Nothing has to be executed for that, and every output on the page is the one saved in the notebook."""
    import nbdev.processors as procs
    from nbdev.process import Processor
    from nbdev.serve import proc_nbs
    class ShowSource(Processor):
        def begin(self):
            for c in reversed(list(self.nb.cells)):
                if c.cell_type != "code" or not c.source or "export" not in c.directives_: continue
                names = anchors(c.source)
                if not names: continue
                c.directives_.pop("export")
                self.nb.cells.insert(c.idx_, procs.mk_cell("".join(f'<a id="{n.lower()}" class="definition"></a>' for n in names), cell_type="markdown"))
    drop = {"add_show_docs", "clean_show_doc", "exec_show_docs", "add_fold", "mv_exports"}
    usual = procs.FilterDefaults.base_procs
    procs.FilterDefaults.base_procs = lambda self: [ShowSource if p.__name__ == "add_show_docs" else p for p in usual(self) if p.__name__ == "add_show_docs" or p.__name__ not in drop]
    shutil.rmtree(proc, ignore_errors=True)
    os.chdir(root)  # a relative path: nbdev skips every file below a folder whose name starts with a dot
    getattr(proc_nbs, "__wrapped__", proc_nbs)(path="nbs", n_workers=0, force=True)
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


def local_links():
    "Links that nbdev wrote for the published site become links between the pages that are here; theme fonts are not fetched from a font host"
    from nbdev.config import get_config
    cfg = get_config(); home = cfg.doc_host.rstrip("/") + "/" + cfg.doc_baseurl.strip("/") + "/"
    pages = {re.sub(r"(^|/)\d+[a-z]?_(?=[^/]*$)", r"\1", p.relative_to(out).as_posix()): p.relative_to(out).as_posix() for p in out.rglob("*.html")}
    for page in out.rglob("*.html"):
        up = "../" * len(page.relative_to(out).parts[:-1]); text = page.read_text(encoding="utf-8")
        page.write_text(re.sub(re.escape(home) + r"([\w/.-]*\.html)", lambda m: up + pages[m[1]] if m[1] in pages else m[0], text), encoding="utf-8")
    for css in out.rglob("*.css"):
        css.write_text(re.sub(r"@import (?:url\([^)]*\)|\"https?:[^\"]*\");?", "", css.read_text(encoding="utf-8")), encoding="utf-8")

def dangling():
    "Links between pages whose page or anchor is not there"
    from urllib.parse import unquote
    ids = {p: set(re.findall(r'\bid="([^"]+)"', p.read_text(encoding="utf-8"))) for p in out.rglob("*.html")}
    for page in ids:
        for href in set(re.findall(r'<a\b[^>]*?\bhref="([^"]+)"', page.read_text(encoding="utf-8"))):
            if re.match(r"[a-z]+:", href): continue
            to, _, anchor = unquote(href).partition("#"); to = (page.parent/to).resolve() if to else page
            if to.is_dir(): to = to/"index.html"
            if not to.exists() or (anchor and to in ids and anchor not in ids[to]): yield f"{page.relative_to(out)} -> {href}"

def asked():
    "Addresses on other hosts that an open page would fetch by itself"
    tags = {u for p in out.rglob("*.html") for t in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", p.read_text(encoding="utf-8")) if 'rel="canonical"' not in t for u in re.findall(r'(?:src|href)="(https?://[^"]+)"', t)}
    return tags | {u for p in out.rglob("*.css") for u in re.findall(r"url\([\"']?(https?://[^)\"']+)", p.read_text(encoding="utf-8"))}

def main():
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
        local_links()
        if hosts := asked(): print("pages would ask other hosts for:", *sorted(hosts)[:5])
        if lost := sorted(dangling()): print("links that lead nowhere:", *lost[:10], sep="\n  ")
        if bad or hosts or lost: sys.exit(1)
    print(f"{len(list(out.rglob('*.html')))} pages in {out.name}/; open {out.name}/index.html or run: make preview")

if __name__ == "__main__": main()
