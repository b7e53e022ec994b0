"""The built site in a real browser that can reach nothing but this machine: tools/browse.py [FOLDER] [--pages PART ...] [--shots FOLDER].

Every page of FOLDER (_docs) is opened wide and at 390 px, light and dark, and everything on it is operated; what is wrong is printed under the page. Chromium is driven over its own DevTools protocol. Without a Chromium (CHROMIUM names one) nothing is tested, and it says so. The last line is `N passed, N failed`, a count for each page.
"""
import argparse
import base64
import functools
import http.server
import importlib.util
import json
import os
import queue
import re
import shutil
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
WIDE, NARROW = (1300, 900), (390, 844)                  # CSS pixels
MAX_BYTES, MAX_PAINT = 3_000_000, 2000                  # of a page apart from shared files; milliseconds until something is painted
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str | None: # its path, or None
    "The browser that CHROMIUM names, else the first that is installed"
    return next((p for n in (os.environ.get("CHROMIUM"), *NAMES) if n and (p := shutil.which(n))), None)


def axe() -> str | None: # JavaScript, or None
    "The source of axe-core, which a development dependency carries"
    spec = importlib.util.find_spec("axe_playwright_python")
    return (Path(spec.origin).parent/"axe.min.js").read_text(encoding="utf-8") if spec else None


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *a): pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    "A folder at http://127.0.0.1:PORT/, for as long as the block lasts"
    daemon_threads = True
    request_queue_size = 64
    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
        self.home = f"http://127.0.0.1:{self.server_port}/"
    def handle_error(self, request, client_address): pass   # a page that is left hangs up
    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self
    def __exit__(self, *a):
        self.shutdown()
        self.server_close()


class Browser:
    "A headless Chromium without a network: every name is unknown, every other address goes to a proxy that is not there"
    def __init__(self, path: str, wait: float = 60): # the program; seconds until it must answer
        self.folder = tempfile.mkdtemp(prefix="browse-")
        self.ids, self.lock = iter(range(1, 1 << 60)), threading.Lock()
        flags = ["--headless=new", "--remote-debugging-port=0", f"--user-data-dir={self.folder}", "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--proxy-server=127.0.0.1:9",
                 "--proxy-bypass-list=127.0.0.1", "--no-first-run", "--no-default-browser-check", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions", "--disable-gpu", "--disable-dev-shm-usage",
                 "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows", "--hide-scrollbars", "--mute-audio", "--lang=en", "--no-sandbox"]     # a container gives no sandbox; these pages are our own
        self.log = open(Path(self.folder)/"log.txt", "wb")
        self.process = subprocess.Popen([path, *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=self.log)
        said, until = Path(self.folder)/"DevToolsActivePort", time.time()+wait
        while not (said.exists() and said.read_text().count("\n")):
            if self.process.poll() is not None or time.time() > until: raise RuntimeError(f"{path} does not start: {(Path(self.folder)/'log.txt').read_text(errors='replace')[-500:]}")
            time.sleep(.05)
        port, where = said.read_text().split()
        self.address = f"ws://127.0.0.1:{port}"
        self.main = Tab(f"{self.address}{where}")

    def tab(self) -> "Tab":
        "A tab in a window of its own, which remembers nothing of the others and is never in the background"
        with self.lock:
            ctx = self.main("Target.createBrowserContext")["browserContextId"]
            target = self.main("Target.createTarget", url="about:blank", browserContextId=ctx)["targetId"]
        t = Tab(f"{self.address}/devtools/page/{target}")
        t.close_with = lambda: self.main("Target.disposeBrowserContext", browserContextId=ctx)
        for domain in ("Page", "Runtime", "Network", "Log"): t(f"{domain}.enable")
        return t

    def __enter__(self): return self
    def __exit__(self, *a):
        self.process.terminate()
        try: self.process.wait(10)
        except subprocess.TimeoutExpired: self.process.kill()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Tab:
    "One connection to the browser: `tab(method, **arguments)`; what it says unasked is kept in `events`"
    def __init__(self, address: str):
        import websocket
        self.ws, self.n, self.events = websocket.create_connection(address, suppress_origin=True, timeout=120), 0, []

    def __call__(self, method: str, **kw):
        self.n += 1
        self.ws.send(json.dumps(dict(id=self.n, method=method, params=kw)))
        while True:
            m = json.loads(self.ws.recv())
            if m.get("id") == self.n:
                if "error" in m: raise RuntimeError(f"{method}: {m['error']['message']}")
                return m["result"]
            self.events.append(m)

    def hear(self, name: str, wait: float = 60): # seconds
        "Wait for an event"
        until, k = time.time()+wait, 0
        while True:
            while k < len(self.events):
                if self.events[k]["method"] == name: return self.events[k]["params"]
                k += 1
            if time.time() > until: raise TimeoutError(name)
            self.events.append(json.loads(self.ws.recv()))

    def js(self, code: str):
        "The value of an expression, or of what it promises"
        r = self("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True, userGesture=True)
        if "exceptionDetails" in r: raise RuntimeError(r["exceptionDetails"].get("exception", {}).get("description", r["exceptionDetails"]["text"])[:400])
        return r["result"].get("value")

    def painted(self, wait: float = 3) -> float | None: # seconds -> milliseconds
        "When something was first painted"
        until = time.time()+wait
        while (t := self.js("(performance.getEntriesByName('first-paint')[0] || {}).startTime")) is None and time.time() < until: time.sleep(.05)
        return t

    def size(self, width: int, height: int): self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, url: str):
        "Load a page until nothing is missing"
        self.events = []
        r = self("Page.navigate", url=url)
        if r.get("errorText"): raise RuntimeError(f"{url}: {r['errorText']}")
        self.hear("Page.loadEventFired")
        self.js("document.fonts.ready.then(() => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))).then(() => 0)")

    def shot(self, path: Path, whole: bool = False):
        "A picture of what is seen, or of the whole page"
        size = self.js("[innerWidth, document.documentElement.scrollHeight]")
        more = dict(captureBeyondViewport=True, clip=dict(x=0, y=0, width=size[0], height=min(size[1], 12000), scale=1)) if whole else {}
        Path(path).write_bytes(base64.b64decode(self("Page.captureScreenshot", format="png", **more)["data"]))


HELP = r"""
(() => {
const seen = e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0; };
const pause = ms => new Promise(f => setTimeout(f, ms));
const frame = () => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)));
const $$ = (s, e=document) => [...e.querySelectorAll(s)];
const name = e => e.tagName.toLowerCase() + (e.id ? '#'+e.id : e.classList.length ? '.'+[...e.classList].join('.') : '') + ' "' + (e.textContent || '').trim().slice(0, 40) + '"';
const fire = (e, ...kinds) => kinds.forEach(k => e.dispatchEvent(new Event(k, {bubbles: true})));
const H = window.__browse = {seen, pause, frame, $$, name};

H.facts = () => ({
    ids: $$('[id]').map(e => e.id), links: [...new Set($$('a[href]').filter(a => !a.getAttribute('href').startsWith('javascript:')).map(a => a.href))],
    title: document.title, h1: $$('h1').map(e => e.textContent.trim()),
    before: ($$('.nav-page-previous a')[0] || {}).href, after: ($$('.nav-page-next a')[0] || {}).href, sidebar: $$('#quarto-sidebar a.sidebar-link[href]').map(a => a.href.split('#')[0]),
});

H.drawn = async () => {
    const bad = [];
    $$('details').forEach(d => d.open = true);
    $$('img').forEach(i => i.loading = 'eager');
    await Promise.all($$('img').map(i => i.decode().catch(() => 0)));
    for (const i of $$('img')) {
        if (!i.complete || !i.naturalWidth) bad.push('picture is not drawn: ' + i.src.slice(0, 80));
        else if (!seen(i)) bad.push('picture has no size: ' + i.src.slice(0, 80));
        if (!i.hasAttribute('alt')) bad.push('picture without a description: ' + i.src.slice(0, 80));
    }
    for (const s of $$('main svg')) if (!seen(s) && s.checkVisibility() && !s.closest('.modebar, .js-plotly-plot')) bad.push('drawing has no size: ' + name(s));
    for (const m of $$('math')) if (!seen(m) && (!m.parentElement || m.parentElement.checkVisibility())) bad.push('formula has no size: ' + m.textContent.slice(0, 60));
    $$('merror').forEach(m => bad.push('formula with an error: ' + m.textContent.slice(0, 60)));
    $$('.math').forEach(m => m.querySelector('math') || bad.push('formula is not MathML: ' + m.textContent.slice(0, 60)));
    const text = document.createTreeWalker(document.querySelector('main') || document.body, NodeFilter.SHOW_TEXT);
    while (text.nextNode()) { const t = text.currentNode; if (/\\\(|\\\[|\$\$/.test(t.data) && !t.parentElement.closest('pre, code, script, style, annotation, textarea')) bad.push('raw TeX: ' + t.data.trim().slice(0, 60)); }
    for (const p of $$('.plotly-graph-div')) {
        for (let k = 0; k < 40 && !p.querySelector('.main-svg'); k++) await pause(50);
        if (!p.querySelector('.main-svg') || !seen(p.querySelector('.main-svg')) || !p.querySelector('.trace, .point, path, canvas')) bad.push('plot is not drawn: ' + name(p));
    }
    for (const c of $$('canvas')) { try { if (!c.width || !c.height) bad.push('empty canvas: ' + name(c)); } catch (e) {} }
    for (const f of $$('iframe')) if (!seen(f)) bad.push('frame has no size: ' + f.src);
    const ids = {}; $$('[id]').filter(e => !e.closest('svg')).forEach(e => ids[e.id] = (ids[e.id] || 0) + 1);
    for (const [k, n] of Object.entries(ids)) if (n > 1) bad.push(`id "${k}" ${n} times`);
    return bad;
};

H.fits = () => {
    const wide = document.documentElement.clientWidth, bad = [];
    if (Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) > wide) bad.push(`page is ${Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)} px wide on a screen of ${wide}`);
    for (const e of $$('main *, header *')) {
        const r = e.getBoundingClientRect();
        if (r.right <= wide + 1 || !r.width || !r.height || !e.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
        let a = e.parentElement, how = '';
        for (; a && a !== document.body && !how; a = a.parentElement) { const o = getComputedStyle(a).overflowX; if (o !== 'visible' && a.getBoundingClientRect().right <= wide + 1) how = o; }
        if (!how && !e.closest('svg svg, svg *')) { bad.push(`reaches ${Math.round(r.right)} px: ` + name(e)); if (bad.length > 4) break; }
        else if (how === 'hidden' || how === 'clip') { if (!e.closest('svg *, .js-plotly-plot, .visually-hidden')) { bad.push(`cut off at ${wide} px: ` + name(e)); if (bad.length > 4) break; } }
    }
    return bad;
};

H.operate = async () => {
    const bad = [], done = {};
    const did = k => done[k] = (done[k] || 0) + 1;
    for (const d of $$('main details')) { const s = d.querySelector('summary'), was = d.open; if (!s) { bad.push('details without a summary'); continue; } s.click(); if (d.open === was) bad.push('details does not react: ' + name(s)); s.click(); did('details'); }
    for (const t of $$('#quarto-sidebar .sidebar-item-toggle')) {
        const box = document.querySelector(t.dataset.bsTarget), was = box.classList.contains('show');
        t.click(); for (let k = 0; k < 200 && (box.classList.contains('collapsing') || box.classList.contains('show') === was); k++) await pause(20);
        if (box.classList.contains('show') === was) bad.push('section of the sidebar does not react: ' + name(t));
        t.click(); for (let k = 0; k < 200 && (box.classList.contains('collapsing') || box.classList.contains('show') !== was); k++) await pause(20);
        did('section'); if (!['/', '/index.html'].includes(location.pathname)) break;
    }
    for (const a of $$('#TOC a[href^="#"]').slice(0, 3)) { a.click(); if (decodeURIComponent(location.hash) !== decodeURIComponent(a.hash)) bad.push('contents do not lead to ' + a.hash); did('contents'); }
    for (const b of $$('.code-copy-button').slice(0, 3)) { b.click(); did('copy'); }
    for (const w of $$('[data-widget]')) {
        if (!seen(w) || !w.children.length) { bad.push('widget is empty: ' + w.dataset.widget); continue; }
        let before = w.innerHTML, moved = false, tried = 0;
        const look = async () => { await frame(); if (w.innerHTML !== before || w.dataset.moved) moved = true; tried++; did('control'); };
        const all = s => $$(s, w).length;
        for (let k = 0; k < all('select'); k++) for (let j = 0; j < $$('select', w)[k].options.length; j++) { const e = $$('select', w)[k]; e.selectedIndex = j; fire(e, 'input', 'change'); await look(); }
        for (let k = 0; k < all('input[type=range]'); k++) for (const f of [0, .5, 1]) { const e = $$('input[type=range]', w)[k], lo = +(e.min || 0), hi = +(e.max || 100); e.value = lo + f*(hi-lo); fire(e, 'input', 'change'); await look(); }
        for (let k = 0; k < all('input[type=checkbox], input[type=radio], button'); k++) { const e = $$('input[type=checkbox], input[type=radio], button', w)[k]; if (!e || e.disabled) continue; e.click(); await look(); if (e.type === 'checkbox' && e.isConnected) { e.click(); await look(); } }
        if (tried && !moved) bad.push('widget does not react: ' + w.dataset.widget);
        if (!w.children.length || /\bundefined\b|\bNaN\b/.test(w.innerText)) bad.push('widget shows nonsense: ' + w.dataset.widget);
        did('widget');
    }
    for (const p of $$('.js-plotly-plot')) {
        const at = (e, kind, x) => { const r = e.getBoundingClientRect(); e.dispatchEvent(new MouseEvent(kind, {bubbles: true, cancelable: true, view: window, clientX: r.left + r.width*x, clientY: r.top + r.height/2})); };
        const state = () => JSON.stringify([p.data, p.layout], (k, v) => k.startsWith('_') ? undefined : v);
        for (let k = 0; k < $$('.updatemenu-header', p).length; k++) {
            at($$('.updatemenu-header', p)[k], 'click', .5); await pause(150);
            const n = $$('.updatemenu-dropdown-button', p).length;
            if (!n) bad.push('menu of a plot does not open: ' + name(p));
            for (let j = n-1; j >= 0; j--) { if (!$$('.updatemenu-dropdown-button', p).length) { at($$('.updatemenu-header', p)[k], 'click', .5); await pause(150); } const b = $$('.updatemenu-dropdown-button', p)[j]; if (b) { const was = state(); at(b, 'click', .5); await pause(150); if (j === n-1 && n > 1 && state() === was) bad.push('menu of a plot does nothing: ' + name(p)); did('plot menu'); } }
        }
        for (const b of $$('.updatemenu-button', p).filter(b => !b.matches('.updatemenu-dropdown-button'))) { at(b, 'click', .5); await pause(100); did('plot button'); }
        for (let k = 0; k < $$('.slider-rail-touch-rect', p).length; k++) {
            const was = state();
            for (const x of [.98, .5, .02]) { at($$('.slider-rail-touch-rect', p)[k], 'mousedown', x); p.dispatchEvent(new MouseEvent('mouseup', {bubbles: true})); await pause(150); if (x > .9 && state() === was) bad.push('slider of a plot does nothing: ' + name(p)); did('plot slider'); }
        }
        did('plot');
    }
    history.replaceState(null, '', location.pathname); scrollTo(0, 0);
    return [bad, done];
};

H.search = async (words, here) => {
    const box = document.querySelector('#quarto-search input, .aa-Input, input[type=search]');
    if (!box) { const open = document.querySelector('.aa-DetachedSearchButton'); if (!open) return 'no search box'; open.click(); await pause(300); }
    const i = box || document.querySelector('.aa-Input'); if (!i) return 'no search box';
    i.focus(); i.value = words; fire(i, 'input', 'keyup');
    for (let k = 0; k < 300; k++) { await pause(50); const hits = $$('.smalldocs-search-results a[href], .aa-Panel a[href]').filter(seen).map(a => new URL(a.href).pathname); if (hits.length) { i.value = ''; fire(i, 'input', 'keyup'); i.blur(); return hits.some(h => here.includes(h)) ? '' : `search for "${words}" does not find the page: ${hits.slice(0, 3)}`; } }
    return `search for "${words}" finds nothing`;
};

H.scheme = () => { const c = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number); return (c[0]+c[1]+c[2])/3 < 128 ? 'dark' : 'light'; };
H.toggle = async () => { const was = H.scheme(), t = $$('.quarto-color-scheme-toggle').find(seen); if (!t) return 'no switch between light and dark'; t.click(); for (let k = 0; k < 40; k++) { await pause(25); if (H.scheme() !== was) { await pause(120); return ''; } } return 'the switch between light and dark does nothing'; };
H.drawer = async () => {
    const b = $$('.quarto-btn-toggle').find(seen), s = document.querySelector('#quarto-sidebar'); if (!b || !s) return 'no button for the sidebar on a narrow screen';
    const on = () => s.classList.contains('show') && seen(s);
    b.click(); for (let k = 0; k < 40 && !on(); k++) await pause(25); if (!on()) return 'sidebar does not open on a narrow screen';
    await pause(300); const wide = document.documentElement.scrollWidth;
    const again = $$('.quarto-btn-toggle').find(seen), glass = document.querySelector('#quarto-sidebar-glass'); (glass && seen(glass) ? glass : again).click(); for (let k = 0; k < 60 && on(); k++) await pause(25);
    return on() ? 'sidebar does not close on a narrow screen' : wide > innerWidth ? 'open sidebar makes the page too wide' : '';
};
H.axe = async only => {
    const told = r => r.violations.filter(v => v.impact === 'serious' || v.impact === 'critical').map(v => `${v.id} (${v.impact}, ${v.nodes.length}): ${v.help}: ` + v.nodes.slice(0, 3).map(n => n.target.join(' ') + ' ' + n.html.slice(0, 90) + (v.id === 'color-contrast' ? ' ' + n.any.map(a => `${a.data.fgColor} on ${a.data.bgColor} ${a.data.contrastRatio}`).join() : '')).join(' | '));
    const all = {resultTypes: ['violations'], elementRef: false, preload: !only}, rules = r => ({...all, runOnly: {type: 'rule', values: r}});
    const code = $$('pre.sourceCode code'), kinds = {};    // thousands of words of code have a dozen colours: one of each is looked at, in a block of its own
    $$('pre.sourceCode code span[class]:not(.line)').forEach(e => kinds[e.className] ||= e);
    if (code.length) { const pre = code[0].closest('pre').cloneNode(), c = code[0].cloneNode(); c.append('x ', ...Object.values(kinds).flatMap(e => [e.cloneNode(true), ' '])); pre.append(c); pre.dataset.sample = ''; code[0].closest('pre').before(pre); await frame(); }
    const bad = told(await axe.run(code.length ? {exclude: code} : document, only ? rules(only) : all));
    $$('pre[data-sample]').forEach(e => e.remove());
    return bad;
};
})()
"""


def complaints(events: list, home: str) -> list[str]:
    "Errors of the console, files that did not come, and requests to other hosts"
    bad, asked = [], {}
    for e in events:
        p = e.get("params", {})
        match e["method"]:
            case "Runtime.exceptionThrown": bad.append("error: " + p["exceptionDetails"].get("exception", {}).get("description", p["exceptionDetails"]["text"]).split("\n")[0])
            case "Runtime.consoleAPICalled" if p["type"] in ("error", "assert"): bad.append("console: " + " ".join(str(a.get("value", a.get("description", ""))) for a in p["args"])[:200])
            case "Log.entryAdded" if p["entry"]["level"] == "error" and p["entry"]["source"] != "network": bad.append("console: " + p["entry"]["text"][:200])
            case "Network.requestWillBeSent":
                url = asked[p["requestId"]] = p["request"]["url"]
                if not url.startswith((home, "data:", "blob:", "about:")): bad.append(f"asks another host: {url[:120]}")
            case "Network.responseReceived" if p["response"]["status"] >= 400: bad.append(f"{p['response']['status']}: {urlsplit(p['response']['url']).path}")
            case "Network.loadingFailed" if not p.get("canceled") and asked.get(p["requestId"], "").startswith(home): bad.append(f"did not load: {asked[p['requestId']][:120]}")
    return list(dict.fromkeys(bad))


def weight(events: list, home: str) -> int: # bytes
    "What a page loads for itself: not what lies in site_libs, nor at the root beside the pages"
    own, total = {}, 0
    for e in events:
        p = e.get("params", {})
        if e["method"] == "Network.requestWillBeSent" and (u := p["request"]["url"]).startswith(home):
            path = urlsplit(u).path
            if not path.startswith("/site_libs/") and (path.count("/") > 1 or path.endswith((".html", "/"))): own[p["requestId"]] = u
        if e["method"] == "Network.loadingFinished" and p["requestId"] in own: total += int(p["encodedDataLength"])
    return total


def visit(tab: Tab, home: str, page: str, rules: str | None, shots: Path | None = None): # -> what is wrong, and facts for `dead`
    "Everything that is asked of one page"
    bad, url = [], home+page
    tab("Emulation.setEmulatedMedia", features=[dict(name="prefers-color-scheme", value="light"), dict(name="prefers-reduced-motion", value="reduce")])
    tab.size(*WIDE)
    tab.open(url)
    if tab.js("(() => { localStorage.clear(); return document.documentElement.dataset.scheme || document.body.classList.contains('quarto-dark'); })()"): tab.open(url)
    size, painted, heard = weight(tab.events, home), tab.painted(), list(tab.events)
    if size > MAX_BYTES: bad.append(f"weighs {size/1e6:.1f} MB")
    times = [painted]
    if painted is None or painted > MAX_PAINT:         # a busy machine: once more, four times
        for _ in range(4):
            tab.open(url)
            times.append(tab.painted())
        times = [t for t in times if t is not None] or [float("inf")]
        if statistics.median(times) > MAX_PAINT: bad.append(f"first paint after {statistics.median(times):.0f} ms (median of {len(times)})")
    tab.js(HELP)
    if tab.js("__browse.scheme()") != "light": bad.append("is not light where light is preferred")
    bad += tab.js("__browse.drawn()")
    facts = tab.js("__browse.facts()") | dict(bytes=size, paint=statistics.median(times))
    if shots: tab.shot(shots/f"{page.replace('/', '-')}-wide-light.png", True)
    if rules:
        tab.js(rules + "\n;0")
        bad += ["axe, light: "+f for f in tab.js("__browse.axe()")]
    why, did = tab.js("__browse.operate()")
    bad += why
    facts["did"] = did
    if facts["h1"]:
        here = [urlsplit(url).path] + (["/"] if page == "index.html" else [])
        if why := tab.js(f"__browse.search({json.dumps(re.sub(r'[^0-9A-Za-z ]+', ' ', facts['h1'][0]).strip())}, {json.dumps(here)})"): bad.append(why)
    if why := tab.js("__browse.toggle()"): bad.append(why)
    elif rules: bad += ["axe, dark: "+f for f in tab.js("__browse.axe(['color-contrast'])")]
    if shots: tab.shot(shots/f"{page.replace('/', '-')}-wide-dark.png", True)
    heard += tab.events
    tab.size(*NARROW)
    tab.open(url)
    tab.js(HELP)
    if tab.js("__browse.scheme()") != "dark": bad.append("forgets that dark was chosen")
    tab.js("(document.querySelectorAll('details').forEach(d => d.open = true), __browse.frame())")
    bad += tab.js("__browse.fits()")
    if shots: tab.shot(shots/f"{page.replace('/', '-')}-narrow-dark.png", True)
    if why := tab.js("document.querySelector('#quarto-sidebar') ? __browse.drawer() : ''"): bad.append(why)
    if shots:
        tab.js("__browse.toggle()")
        tab.js("document.querySelector('.quarto-color-scheme-toggle') && (localStorage.clear(), 0)")
        tab.open(url)
        tab.shot(shots/f"{page.replace('/', '-')}-narrow-light.png", True)
    tab.js("localStorage.clear()")
    return list(dict.fromkeys(complaints(heard+tab.events, home)+bad)), facts


def dead(folder: Path, home: str, facts: dict) -> dict: # page -> what is wrong
    "Links within the site whose page or anchor is not there, as the browser saw both; and previous and next beside the sidebar"
    out = {}
    for page, f in facts.items():
        for link in f["links"]:
            if not link.startswith(home): continue
            path, anchor = unquote(urlsplit(link).path).lstrip("/"), unquote(urlsplit(link).fragment)
            if path.endswith("/") or not path: path += "index.html"
            if not (folder/path).is_file(): out.setdefault(page, []).append(f"dead link: {path}")
            elif anchor and path in facts and anchor not in facts[path]["ids"] and anchor != "top": out.setdefault(page, []).append(f"dead link: {path}#{anchor}")
        order = list(dict.fromkeys(f["sidebar"]))      # previous and next follow the sidebar
        if home+page in order:
            k = order.index(home+page)
            for way, want in (("before", order[k-1] if k else None), ("after", order[k+1] if k+1 < len(order) else None)):
                if f.get(way) != want: out.setdefault(page, []).append(f"the page {way} it is {f.get(way)}, in the sidebar {want}")
        elif order: out.setdefault(page, []).append("is not in the sidebar")
    return out


def browse(folder: Path, # a built site
           parts: list[str] | None = None, # only pages whose path holds one of these
           jobs: int = 2, # tabs at once
           shots: Path | None = None, # a folder for pictures of every page
           say=lambda page, bad, facts, seconds: None) -> dict[str, list[str]]: # page -> what is wrong with it
    "Visit every page of a folder; RuntimeError where there is no browser"
    program, rules = chromium(), axe()
    if not program: raise RuntimeError("no Chromium is installed")
    pages = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.html"))
    todo, found, facts, lock = queue.Queue(), {}, {}, threading.Lock()
    for p in sorted(pages, key=lambda p: -(folder/p).stat().st_size):
        if not parts or any(x in p for x in parts): todo.put(p)

    def work(home, browser):
        tab = None
        while True:
            try: page = todo.get_nowait()
            except queue.Empty: break
            t = time.time()
            for attempt in range(2):                   # a tab that hangs or dies is opened once more
                try:
                    tab = tab or browser.tab()
                    bad, f = visit(tab, home, page, rules, shots)
                    break
                except Exception as e:
                    tab, bad, f = None, [f"could not be tested: {type(e).__name__}: {e}"], None
            with lock:
                found[page] = bad
                if f: facts[page] = f
                say(page, bad, f, time.time()-t)
    if shots: Path(shots).mkdir(parents=True, exist_ok=True)
    with Server(folder) as server, Browser(program) as browser:
        workers = [threading.Thread(target=work, args=(server.home, browser)) for _ in range(jobs)]
        for w in workers: w.start()
        for w in workers: w.join()
        for page, bad in dead(folder, server.home, facts).items(): found[page] += bad
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", nargs="?", type=Path, default=ROOT/"_docs")
    p.add_argument("--pages", nargs="+", metavar="PART", help="only pages whose path holds PART")
    p.add_argument("--jobs", type=int, default=2, help="tabs at once")
    p.add_argument("--shots", type=Path, help="a folder for pictures of every page")
    a = p.parse_args()
    if not chromium():
        print("browser tests skipped: no Chromium is installed (Debian: apt-get install chromium; or CHROMIUM=PROGRAM)\n0 passed, 0 failed")
        return 0
    if not (a.folder/"index.html").exists(): sys.exit(f"{a.folder}/index.html is not there; run: make docs")
    if not axe(): print("axe-core is not installed (make install does it): accessibility is not tested")
    t, seen = time.time(), []
    found = browse(a.folder, a.pages, a.jobs, a.shots, lambda page, bad, f, s: (seen.append(f), print(f"{'FAIL' if bad else 'ok  '} {s:5.1f} s  {page}" + (f"  {f['bytes']/1e6:.2f} MB, paint {f['paint']:.0f} ms, {f['did']}" if f else ""), flush=True)))
    for page, bad in sorted(found.items()):
        for b in bad: print(f"{page}: {b}")
    bad = sum(map(bool, found.values()))
    print(f"{len(found)} pages in {subprocess.run([chromium(), '--version'], capture_output=True, text=True).stdout.strip() or 'Chromium'}, {time.time()-t:.0f} s\n{len(found)-bad} passed, {bad} failed", flush=True)
    return int(bool(bad) or not found)


if __name__ == "__main__": sys.exit(main())
