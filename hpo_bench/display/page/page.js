// Some forty lines of our own, because figures are drawn once, by the program that also writes the PNG and SVG for
// papers: a charting library (the smallest that draws these is a megabyte) would draw each a second time.
(() => {
  document.documentElement.classList.add("scripted");
  const each = (selector, act) => document.querySelectorAll(selector).forEach(act);

  // What marks say, under the pointer or the finger.
  const tip = document.body.appendChild(document.createElement("div"));
  tip.className = "tip";
  tip.hidden = true;
  each(".paper title", (title) => {
    title.parentElement.dataset.says = title.textContent;
    title.remove(); // The browser would show it as well, a second later.
  });
  const show = (event) => {
    const told = event.target.closest?.("[data-says]");
    tip.hidden = !told;
    if (!told) return;
    tip.textContent = told.dataset.says;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    const above = event.clientY + 18 + tip.offsetHeight > innerHeight;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above ? event.clientY - tip.offsetHeight - 12 : event.clientY + 18}px`;
  };
  for (const name of ["pointermove", "pointerdown"]) document.addEventListener(name, show);

  // Which optimisers are shown, in figures and tables alike.
  each(".filter input", (box) =>
    box.addEventListener("change", () =>
      each(`[data-optimizer="${CSS.escape(box.value)}"]`, (own) => own.classList.toggle("off", !box.checked))));

  // One of many figures.
  each(".picker", (picker) => {
    const select = picker.querySelector("select");
    const pick = () => picker.querySelectorAll("figure").forEach((one) => one.classList.toggle("unpicked", one.id !== select.value));
    select.addEventListener("change", pick);
    pick();
  });

  // What is folded is printed, too.
  const folded = [];
  addEventListener("beforeprint", () => each("details:not([open])", (one) => folded.push(one) && (one.open = true)));
  addEventListener("afterprint", () => folded.splice(0).forEach((one) => (one.open = false)));
})();
