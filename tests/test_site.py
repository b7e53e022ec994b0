"The browser tests find what they are there to find: a small site with one fault on each page; and what tools/docs.py makes of code"
import base64
import shutil
import sys
from pathlib import Path
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent/"tools"))
import browse, docs

DOT = "data:image/png;base64," + base64.b64encode(bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082")).decode()
HEAD = """<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>NAME</title><link rel="icon" href="data:,"><style>
body { margin: 1rem; background: #fff; color: #222 } .dark body { background: #222; color: #eee } .dark a, .dark button { color: #9cf; background: #222 } #quarto-sidebar { display: none } #quarto-sidebar.show { display: block }
</style></head><body><nav aria-label="site"><button class="quarto-color-scheme-toggle">Light or dark</button><button class="quarto-btn-toggle">Pages</button>
<div id="quarto-search"><input type="search" aria-label="Search"><div class="smalldocs-search-results"></div></div><div id="quarto-sidebar"><a href="index.html">Start</a></div></nav><main><h1>NAME</h1>"""
TAIL = """<script>
const root = document.documentElement, $ = s => document.querySelector(s), set = d => root.classList.toggle('dark', d);
set(localStorage.scheme === 'dark');
$('.quarto-color-scheme-toggle').onclick = () => { localStorage.scheme = root.classList.contains('dark') ? 'light' : 'dark'; set(localStorage.scheme === 'dark'); };
$('.quarto-btn-toggle').onclick = () => $('#quarto-sidebar').classList.toggle('show');
$('#quarto-search input').oninput = e => $('.smalldocs-search-results').innerHTML = e.target.value ? '<a href="NAME.html">found</a>' : '';
</script></main></body></html>"""
GOOD = f"""<p id="here"><a href="index.html#here">A link</a>, a formula <math><mi>x</mi></math>, a <img src="{DOT}" alt="dot" width="9" height="9">.</p><details><summary>More</summary>text</details>
<div style="overflow-x: auto" tabindex="0"><div style="width: 900px">wide, and scrolls inside itself</div></div>
<div data-widget="counter"><select aria-label="how many" onchange="document.querySelector('#said').textContent = this.value"><option>1</option><option>2</option></select> <output id="said">?</output></div>"""
WIDGET = '<div data-widget="w"><button onclick="{}">press</button></div>'
FAULTS = {
    "dead-page": ('<a href="nowhere.html">x</a>', "dead link: nowhere.html"),
    "dead-anchor": ('<a href="index.html#nowhere">x</a>', "dead link: index.html#nowhere"),
    "no-picture": ('<img src="gone.png" alt="gone" width="9" height="9">', "404: /gone.png"),
    "broken-picture": ('<img src="data:image/png;base64,AAAA" alt="broken" width="9" height="9">', "picture is not drawn"),
    "no-alt": (f'<img src="{DOT}" width="9" height="9">', "picture without a description"),
    "console": ("<script>console.error('planted')</script>", "console: planted"),
    "exception": ("<script>null.x</script>", "error: TypeError"),
    "outside": ('<script src="https://example.com/x.js"></script>', "asks another host: https://example.com/x.js"),
    "outside-number": ("<script>fetch('http://192.0.2.1/').catch(() => 0)</script>", "asks another host: http://192.0.2.1/"),
    "overflow": ('<div style="width: 600px">wide</div>', "px wide on a screen of 390"),
    "cut-off": ('<div style="overflow: hidden"><div style="width: 600px">wide</div></div>', "cut off at 390 px"),
    "tex": (r"<p>\(x^2\)</p>", "raw TeX"),
    "no-mathml": ('<span class="math inline">x</span>', "formula is not MathML"),
    "flat-formula": ('<div style="height: 0"><math style="width: 0; height: 0; display: block; overflow: hidden"><mi></mi></math></div>', "formula has no size"),
    "dead-widget": (WIDGET.format(""), "widget does not react"),
    "widget-throws": (WIDGET.format("this.after('!'); null.x"), "error: TypeError"),
    "widget-nonsense": (WIDGET.format("this.after(' '+undefined)"), "widget shows nonsense"),
    "contrast": ('<p style="color: #bbb; background: #fff">pale</p>', "axe, light: color-contrast"),
    "code-colour": ('<pre class="sourceCode"><code><span class="line">a <span class="st" style="color: #bbb; background: #fff">pale</span></span></code></pre>', "axe, light: color-contrast"),
    "unnamed": ('<input type="text">', "axe, light: label"),
    "twice": ('<p id="here">again</p>', 'id "here" 2 times'),
    "heavy": ("<!--" + "x"*3_100_000 + "-->", "weighs 3.1 MB"),
    "forgets": ("<script>localStorage.clear()</script>", "forgets that dark was chosen"),
    "late": ("<script>{ const t = Date.now(); while (Date.now() < t+2300); }</script>", "first paint after"),
}
there = pytest.mark.skipif(not browse.chromium(), reason="no Chromium is installed")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    "What is said of every page of the small site"
    import plotly.graph_objects as go
    folder = tmp_path_factory.mktemp("site")
    page = lambda name, more: (folder/f"{name}.html").write_text((HEAD+GOOD+more+TAIL).replace("NAME", name), encoding="utf-8")
    page("index", "")
    for name, (more, _) in FAULTS.items(): page(name, more)
    fig = go.Figure([go.Scatter(y=[1, 2]), go.Scatter(y=[2, 1], visible=False)])
    show = lambda k: dict(label=str(k), method="update", args=[dict(visible=[k==0, k==1])])
    fig.update_layout(width=360, height=420, sliders=[dict(steps=[show(0), show(1)])], updatemenus=[dict(buttons=[show(0), show(1)])])
    (folder/"site_libs").mkdir()
    shutil.copy(Path(__import__("plotly").__file__).parent/"package_data"/"plotly.min.js", folder/"site_libs")
    page("plot", fig.to_html(full_html=False, include_plotlyjs="site_libs/plotly.min.js", config=dict(displayModeBar=False)))
    did = {}
    bad = browse.browse(folder, say=lambda page, bad, f, s: did.update({page: f and f["did"]}))
    return bad, did


@there
def test_nothing_is_said_of_a_page_without_fault(found):
    assert found[0]["index.html"] == [] and found[1]["index.html"] == {"details": 1, "control": 2, "widget": 1}


@there
@pytest.mark.parametrize("name", FAULTS)
def test_planted_fault_is_found(found, name):
    if name in ("contrast", "code-colour", "unnamed") and not browse.axe(): pytest.skip("axe-core is not installed")
    assert any(FAULTS[name][1] in b for b in found[0][f"{name}.html"]), found[0][f"{name}.html"]


@there
def test_plots_are_operated(found):
    bad, did = found[0]["plot.html"], found[1]["plot.html"]
    assert did["plot"] == 1 and did["plot menu"] == 2 and did["plot slider"] == 3 and not [b for b in bad if not b.startswith("axe")], (bad, did)


def test_a_long_line_keeps_its_words_and_its_colours():
    import re
    code = 'x = 1\n    <span class="st">&quot;a\n  b&quot;</span>'
    got = docs.hang(code)
    assert re.sub("<[^>]*>", "", got) == re.sub("<[^>]*>", "", code) and got.count('class="st"') == 2 and got.count('class="line"') == 3 and "--i:4" in got


def test_definitions_of_a_cell():
    got = docs.definitions("A: int = 1\nclass C:\n    def m(self): pass\n@patch\ndef p(self:C): pass\ndef f(): pass")
    assert [(n, [m for m, _ in ms]) for n, _, ms in got] == [("A", []), ("C", ["m"]), ("C", ["p"]), ("f", [])]


def test_a_figure_is_described_by_its_caption_else_by_what_was_said_before():
    plot = "ax.plot(y, label='loss'); ax.set_xlabel('step')"
    assert docs.describe('#| fig-cap: "It falls."\n'+plot, "Other.", "Head") == "Figure. It falls. Written on it: across: step; shown: loss."
    assert docs.describe("f()", "## Head\n\nOne. Two *three* `x_i`. Four.", "Head") == "Figure. Two three x_i. Four."
    assert docs.describe("f()", "", "Head") == "Figure. Head."


def test_every_chapter_says_how_it_is_run():
    root = docs.root
    for file in sorted((root/"nbs").glob("[0-9]*/*.ipynb")):
        c = docs.chapter(file)
        text = docs.note(c)
        assert c.title and c.question.strip() and "make lab" in text and f".venv/bin/nbdev_test --path {file.relative_to(root).as_posix()}<" in text, file
        if c.module: assert (root/(c.module.replace(".", "/")+".py")).exists() and f'href="../reference.html#{c.module}"' in text, file


def test_every_public_name_is_defined_where_the_reference_looks():
    for file in sorted((docs.root/"nbs").glob("[0-9]*/*.ipynb")):
        if not (c := docs.chapter(file)).module: continue
        have = {n for n, node, _ in docs.definitions((docs.root/(c.module.replace(".", "/")+".py")).read_text(encoding="utf-8")) if node}
        assert not (lost := set(docs.public(c.module)) - have), (file, lost)
