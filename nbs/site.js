// What scrolls inside itself can be reached with the keyboard; what only looks like a link or a menu says what it is.
(() => {
  const reach = () => document.querySelectorAll("main pre, main .table-wrap, main .math.display, main .cell-output-display").forEach(e => {
    const o = getComputedStyle(e), more = e.scrollWidth > e.clientWidth + 1 && /auto|scroll/.test(o.overflowX);
    if (more && !e.hasAttribute("tabindex")) { e.tabIndex = 0; e.setAttribute("role", "group"); e.setAttribute("aria-label", "scrolls sideways"); e.dataset.reach = ""; }
    if (!more && "reach" in e.dataset) { ["tabindex", "role", "aria-label", "data-reach"].forEach(a => e.removeAttribute(a)); }
  });
  document.querySelectorAll("main table").forEach(t => {   // a wide table scrolls inside itself
    if (t.parentElement.classList.contains("table-wrap")) return;
    const w = document.createElement("div"); w.className = "table-wrap"; t.replaceWith(w); w.append(t);
    t.querySelectorAll("td").forEach(d => { if (d.textContent.length > 40) d.classList.add("long"); });
  });
  let due = 0;
  const soon = () => { cancelAnimationFrame(due); due = requestAnimationFrame(reach); };
  soon(); addEventListener("load", soon); addEventListener("resize", soon); document.addEventListener("toggle", soon, true);
})();
