"""The site, into _docs/: nbdev processes the notebooks, then Quarto renders them where it is installed, else smalldocs.

Before rendering, every chapter is told how to run it, every figure gets a description, every definition an anchor, and reference.qmd lists them all. With smalldocs, mathematics becomes MathML here and plotly.js is copied beside the pages, so that an open page asks no other host for anything."""
import ast, html, json, os, re, shutil, subprocess, sys
from dataclasses import dataclass
from pathlib import Path

root = Path(__file__).resolve().parent.parent
proc, out = root/"_proc", root/"_docs"
DEFS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass
class Chapter:
    path: str       # from nbs/: 1_data/00_core.ipynb
    title: str
    question: str   # the quoted subtitle
    module: str     # tmf_nb.data.core, or empty
    @property
    def up(self): return "../"*self.path.count("/")

def chapter(file):
    "What a notebook is called, asks and exports to"
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    head = "".join(cells[0]["source"])
    of = lambda pattern, text: (re.search(pattern, text, flags=re.M) or ["", ""])[1].strip()
    module = next((m for c in cells if c["cell_type"] == "code" and (m := of(r"^#\|\s*default_exp\s+(\S+)", "".join(c["source"])))), "")
    return Chapter(file.relative_to(root/"nbs").as_posix(), of(r"^# (.*)", head), of(r"^> (.*)", head), module and "tmf_nb."+module)

def patched(d):
    "The class that fastcore's `patch` adds a function to, or None"
    if not any(getattr(x, "id", getattr(getattr(x, "func", None), "id", "")).startswith("patch") for x in d.decorator_list) or not d.args.args: return None
    to = d.args.args[0].annotation
    return to.id if isinstance(to, ast.Name) else None

def definitions(source):
    "What a module or an exported cell defines at its top: (name, node, methods by name); a patched method comes under its class's name"
    try: body = ast.parse("\n".join("pass" if l.lstrip().startswith(("%", "!")) else l for l in source.splitlines())).body
    except SyntaxError: return []
    found = []
    for d in body:
        if isinstance(d, ast.ClassDef): found.append((d.name, d, [(m.name, m) for m in d.body if isinstance(m, DEFS)]))
        elif isinstance(d, DEFS) and (c := patched(d)): found.append((c, None, [(d.name, d)]))
        elif isinstance(d, DEFS): found.append((d.name, d, []))
        elif isinstance(d, (ast.Assign, ast.AnnAssign)):
            for t in (x for t in getattr(d, "targets", [getattr(d, "target", None)]) for x in (t.elts if isinstance(t, ast.Tuple) else [t])):
                if isinstance(t, ast.Name): found.append((t.id, d, []))
    return found

def anchor(name, node=None): return name if isinstance(node, (ast.Assign, ast.AnnAssign)) else name.lower()   # nbdev links to lower case; a constant must not meet a function of its name

def signs(source, chap, seen):
    "The anchors of an exported cell, as HTML: of public names a link into the reference, of others the place alone"
    shown, bare = [], []
    for name, node, methods in definitions(source):
        for n, d in ([(name, node)] if node else []) + [(f"{name}.{m}", d) for m, d in methods]:
            if (a := anchor(n, d)) in seen: continue
            seen.add(a)
            if "." not in n and chap.module and n in public(chap.module): shown.append(f'<a id="{a}" href="{chap.up}reference.html#{chap.module}.{n}">{n}</a>')
            else: bare.append(f'<a id="{a}"></a>')
    text = "".join(bare) + (f'<span class="of">reference: </span>{" ".join(shown)}' if shown else "")
    return f'<div class="definitions">{text}</div>' if text else ""

def public(module):
    "The names that a module exports, in order"
    tree = ast.parse((root/(module.replace(".", "/")+".py")).read_text(encoding="utf-8"))
    names = next((ast.literal_eval(n.value) for n in tree.body if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "__all__"), [])
    return [n for n in names if not n.startswith("_")]

def note(chap):
    "How to run a chapter, and where its definitions are, folded"
    from nbdev.config import get_config
    cfg, file = get_config(), chap.module.replace(".", "/")+".py"
    where = f'<p>What it defines is exported to <a href="{cfg.git_url}/blob/{cfg.branch}/{file}"><code>{file}</code></a> and listed <a href="{chap.up}reference.html#{chap.module}">in the reference</a>.</p>' if chap.module else "<p>It exports nothing: it reads results and uses what other chapters define.</p>"
    return f'<details class="run-chapter"><summary>Run this chapter</summary><p><code>make lab</code> opens JupyterLab on the chapters; this one is <code>nbs/{chap.path}</code>. Its tests alone:</p><pre><code>.venv/bin/nbdev_test --path nbs/{chap.path}</code></pre>{where}</details>'

def sentence(text):
    "Plain words of markdown: its last paragraph that is prose, at most two sentences from its end"
    paras = [p for p in re.split(r"\n\s*\n", text) if p.strip() and not re.match(r"\s*(#|\||```|\$\$|!\[|<|- |\d+\. )", p)]
    if not paras: return ""
    p = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(paras[-1].split()))
    return " ".join(re.split(r"(?<=[.?!:])\s+(?=[A-Z])", re.sub(r"[*`>]|(?<!\w)_|_(?!\w)", "", p))[-2:])

def labels(source):
    "What a plot's code writes on its axes and into its legend"
    kinds = dict(set_title="title", title="title", suptitle="title", set_xlabel="across", xlabel="across", supxlabel="across", set_ylabel="up", ylabel="up", supylabel="up")
    said = {}
    try: tree = ast.parse(source)
    except SyntaxError: return ""
    for c in (n for n in ast.walk(tree) if isinstance(n, ast.Call)):
        kind = kinds.get(getattr(c.func, "attr", ""))
        if kind and c.args and isinstance(c.args[0], ast.Constant) and isinstance(c.args[0].value, str): said.setdefault(kind, []).append(c.args[0].value)
        for k in c.keywords:
            if k.arg == "label" and isinstance(k.value, ast.Constant) and isinstance(k.value.value, str): said.setdefault("shown", []).append(k.value.value)
    return "; ".join(f"{k}: {', '.join(dict.fromkeys(' '.join(w.split()) for w in words if w.strip()))}" for k, words in sorted(said.items()) if any(w.strip() for w in words))

def describe(source, prose, heading):
    "A description of a cell's figure: its caption, or what was said before it, or its heading; and what its code writes on it"
    cap = re.search(r"^#\|\s*fig-cap:\s*(.*)$", source, flags=re.M)
    text = cap[1].strip().strip("\"'") if cap else sentence(prose) or heading
    more = labels(source)
    return re.sub(r"[$\\]", "", "Figure. " + text.rstrip(" :.") + "." + (f" Written on it: {more}." if more else ""))[:600]

def process():
    """What nbdev_proc_nbs does, without asking for the quarto program.

    nbdev shows an exported definition as a table of its arguments and hides the code. In this book the code is the explanation, with its arguments described in place: the cell stays as it is, behind an anchor for each name. Nothing has to be executed for that, and every output on the page is the one saved in the notebook."""
    import nbdev.processors as procs
    from nbdev.process import Processor
    from nbdev.serve import proc_nbs
    class ShowSource(Processor):
        def begin(self):
            chap, cells, seen = chapter(Path(self.nb.path_).resolve()), list(self.nb.cells), set()
            self.describe(cells)
            new = []
            for c in cells:
                if c.cell_type != "code" or not c.source or "export" not in c.directives_: continue
                if text := signs(c.source, chap, seen):
                    c.directives_.pop("export")
                    new.append((c.idx_, text))
            self.rename(cells, seen)
            for at, text in reversed(new): self.nb.cells.insert(at, procs.mk_cell(text, cell_type="markdown"))
            if "/" in chap.path: self.nb.cells.insert(1, procs.mk_cell(note(chap), cell_type="markdown"))
        def describe(self, cells):
            prose = heading = ""
            for c in cells:
                if c.cell_type == "markdown":
                    prose = c.source if sentence(c.source) else prose
                    if heads := re.findall(r"^#+ (.*)", c.source, flags=re.M): heading = heads[-1]
                elif c.cell_type == "code" and "fig-alt:" not in c.source and any(k.startswith("image/") for o in c.get("outputs", []) for k in o.get("data", {})):
                    c.source = f"#| fig-alt: {json.dumps(describe(c.source, prose, heading), ensure_ascii=False)}\n{c.source}"
        def rename(self, cells, seen):
            "A heading that would get the id of a definition gets another"
            slug = lambda h: re.sub(r"\s+", "-", re.sub(r"[^\w\s.-]", "", h.strip().lower()))
            for c in cells:
                if c.cell_type == "markdown": c.source = re.sub(r"^(##+ )([^\n{]*)$", lambda m: f"{m[0]} {{#about-{slug(m[2])}}}" if slug(m[2]) in seen else m[0], c.source, flags=re.M)
    drop = {"add_show_docs", "clean_show_doc", "exec_show_docs", "add_fold", "mv_exports"}
    usual = procs.FilterDefaults.base_procs
    procs.FilterDefaults.base_procs = lambda self: [ShowSource if p.__name__ == "add_show_docs" else p for p in usual(self) if p.__name__ == "add_show_docs" or p.__name__ not in drop]
    shutil.rmtree(proc, ignore_errors=True)
    os.chdir(root)  # a relative path: nbdev skips every file below a folder whose name starts with a dot
    getattr(proc_nbs, "__wrapped__", proc_nbs)(path="nbs", n_workers=0, force=True)
    if not (proc/"_quarto.yml").exists(): shutil.copy(root/"_quarto.yml", proc/"_quarto.yml")

def reference():
    "reference.qmd: every public name with the first line of its docstring, part by part in the order of the sidebar, each linked to its definition"
    import yaml
    conf = yaml.safe_load((proc/"_quarto.yml").read_text(encoding="utf-8"))
    side = conf["website"]["sidebar"]["contents"]
    listed = [p for s in side for p in s.get("contents", [])]
    rest = sorted(set(f.relative_to(root/"nbs").as_posix() for f in (root/"nbs").glob("[0-9]*/*.ipynb")) - set(listed))
    parts = [(s["section"], s["contents"]) for s in side if "section" in s] + ([("Other chapters", rest)] if rest else [])
    lines = ["---", "title: Reference", "description: Every public name, one line each; a name leads to its definition.", "toc-depth: 3", "---", ""]
    plain = lambda s: "".join(t if i % 2 else re.sub(r"([\\*_<>\[\]$~^@#|])", r"\\\1", t) for i, t in enumerate(re.split(r"(`[^`]*`)", s)))
    first = lambda d: plain((ast.get_docstring(d) or "").split("\n")[0]) if isinstance(d, (*DEFS, ast.ClassDef)) else ""
    def value(d, text):
        "What a constant is, where that is short"
        s = " ".join((ast.get_source_segment(text, d.value) or "").split()) if d.value else ""
        return f"constant, `{s}`" if 0 < len(s) <= 60 and "`" not in s else "constant"
    for part, books in parts:
        chaps = [c for b in books if (c := chapter(root/"nbs"/b)).module]
        if chaps: lines += [f"## {part}", ""]
        for c in chaps:
            text = (root/(c.module.replace(".", "/")+".py")).read_text(encoding="utf-8")
            defs, names = {}, public(c.module)
            for name, node, methods in definitions(text):
                was = defs.setdefault(name, [None, []])
                was[0] = was[0] or node
                was[1] += methods
            lines += [f"### {c.module} {{#{c.module}}}", "", f"[{c.title}]({c.path}): {plain(c.question)}", ""]
            for n in dict.fromkeys([*names, *(k for k, (d, _) in defs.items() if d is None)]):   # a class of another module comes for what is patched here
                node, methods = defs.get(n, (None, []))
                if node is None and not methods: continue
                link = lambda label, a, i, say: f'<span id="{c.module}.{i}"></span>[`{label}`]({c.path}#{a}) {say}'.rstrip()
                say = value(node, text) if isinstance(node, (ast.Assign, ast.AnnAssign)) else first(node) if node else "more of it"
                lines.append(f"- {link(n, anchor(n, node), n, say)}" if node is not None else f"- `{n}` (defined elsewhere)")
                lines += [f"    - {link(f'{n}.{m}', anchor(f'{n}.{m}'), f'{n}.{m}', first(d))}" for m, d in methods if not m.startswith("_")]
            lines.append("")
    (proc/"reference.qmd").write_text("\n".join(lines), encoding="utf-8")
    side.append(dict(text="Reference", href="reference.qmd"))
    (proc/"_quarto.yml").write_text(yaml.safe_dump(conf, sort_keys=False, allow_unicode=True), encoding="utf-8")

def mathml(page):
    "Replace TeX by MathML and drop the scripts that would have drawn it; returns the formulas that could not be converted"
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

def hang(code):
    "Every line of a highlighted block in an element of its own, which knows its indentation: a long line goes on below its start"
    lines, open_ = [], []
    for line in code.split("\n"):
        text, plain = "".join(open_)+line, html.unescape(re.sub(r"<[^>]*>", "", line))
        for t in re.findall(r"<(/?)(span)([^>]*)>", line):
            if t[0]: open_.pop()
            else: open_.append(f"<span{t[2]}>")
        n = len(plain)-len(plain.lstrip(" "))
        lines.append(f'<span class="line"{f" style=--i:{n}" if n else ""}>{text}{"</span>"*len(open_)}</span>')
    return "\n".join(lines)

def mend(page):
    "What smalldocs leaves out: lines of code that can hang, names of things that only a pointer would find, and no reader needs"
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'(<pre class="sourceCode[^>]*><code[^>]*>)(.*?)(</code></pre>)', lambda m: m[1]+hang(m[2])+m[3], text, flags=re.S)
    page.write_text(text, encoding="utf-8")

def dress():
    "On every page, whoever rendered it: the site's script and icon"
    for page in out.rglob("*.html"):
        up, text = "../"*len(page.relative_to(out).parts[:-1]), page.read_text(encoding="utf-8")
        icon = "" if 'rel="icon"' in text else f'<link rel="icon" type="image/svg+xml" href="{up}icon.svg">'
        page.write_text(text.replace("</head>", f'{icon}<script src="{up}site.js" defer></script></head>', 1), encoding="utf-8")
    for name in ("site.js", "icon.svg"): shutil.copy(root/"nbs"/name, out/name)

def local_plotly(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r'<script[^>]*?src="https://[^"]*mathjax[^"]*"[^>]*></script>', "", text, flags=re.I)       # plotly asks for it, no formula here needs it
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
    reference()
    if shutil.which("quarto"):
        subprocess.run(["quarto", "render", "--no-cache"], cwd=proc, check=True)
        shutil.rmtree(out, ignore_errors=True); shutil.move(proc/"_docs", out)
        dress()
    else:
        r = subprocess.run([Path(sys.executable).parent/"smalldocs", "render"], cwd=proc, capture_output=True, text=True)
        if told := [l for l in (r.stdout+r.stderr).splitlines() if r.returncode or "warning" in l and not re.search(r"output-file is not read|format\.html\.(grid|html-math-method) is ignored", l)]: print(*told, sep="\n")
        if r.returncode: sys.exit(1)
        built = proc/"_docs"
        shutil.rmtree(out, ignore_errors=True); shutil.move(built, out)
        bad = []
        for page in out.rglob("*.html"): bad += [(page.name, *b) for b in mathml(page)]; local_plotly(page); mend(page)
        for b in bad: print("formula not converted:", *b)
        local_links()
        dress()
        if hosts := asked(): print("pages would ask other hosts for:", *sorted(hosts)[:5])
        if lost := sorted(dangling()): print("links that lead nowhere:", *lost[:10], sep="\n  ")
        if bad or hosts or lost: sys.exit(1)
    print(f"{len(list(out.rglob('*.html')))} pages in {out.name}/; open {out.name}/index.html or run: make preview")

if __name__ == "__main__": main()
