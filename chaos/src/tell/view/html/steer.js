// Steering: time range, filters, what is chosen; with buttons, keys, wheel and pointer alike.

const byId = (id) => document.getElementById(id);
const NARROWEST = 1000;
const ROWS_MAX = 300;

let isDue = false;
function update() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    draw();
    byId("from").value = (state.from / 1e6).toFixed(3);
    byId("to").value = (state.to / 1e6).toFixed(3);
    listEvents();
  });
}

function range(from, to) {
  const span = Math.min(lastUs, Math.max(NARROWEST, to - from));
  state.from = Math.max(0, Math.min(from, lastUs * 1.02 - span));
  state.to = state.from + span;
  update();
}

function zoom(factor, at = (state.from + state.to) / 2) {
  range(at - (at - state.from) * factor, at + (state.to - at) * factor);
}

const pan = (part) => range(state.from + (state.to - state.from) * part, state.to + (state.to - state.from) * part);

function choose(thing, isToBeShown) {
  state.chosen = thing;
  if (thing && isToBeShown && (thing.at_us < state.from || thing.end > state.to)) {
    const span = Math.max(state.to - state.from, (thing.end - thing.at_us) * 1.2);
    range(thing.at_us - span / 3, thing.at_us + (span * 2) / 3);
  }
  tell();
  update();
}

// The next or the one before, of what is not filtered out.
function step(by) {
  let index = state.chosen ? state.chosen.index + by : by > 0 ? lowerBound(state.from) : lowerBound(state.to) - 1;
  while (index >= 0 && index < things.length && !isWanted(things[index])) index += by;
  if (things[index]) choose(things[index], true);
}

function element(name, words, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = words;
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

function button(words, act, attributes) {
  const made = element("button", words, { type: "button", ...attributes });
  made.addEventListener("click", act);
  return made;
}

// Everything about what is chosen.
function tell() {
  const thing = state.chosen, detail = byId("detail");
  if (!thing) {
    detail.replaceChildren(element("p", "Choose a message or a call: click it, or walk with “next” and “previous”."));
    return;
  }
  const rows = thing.type === "call" ? rowsOfCall(thing) : rowsOfMessage(thing);
  const list = document.createElement("dl");
  for (const [name, value] of rows) if (value !== undefined && value !== "") list.append(element("dt", name), element("dd", value));
  detail.replaceChildren(element("p", words(thing)), list);
  const other = thing.type === "message" && things.find((each) => each.type === "message" && each.exchange === thing.exchange && each !== thing);
  if (other) detail.append(button(hubs.has(thing.from) ? "show the request" : "show the answer", () => choose(other, true)));
}

function rowsOfCall(call) {
  return [
    ["from, to", `${seconds(call.at_us)} – ${seconds(call.until_us)}, ${((call.until_us - call.at_us) / 1e3).toFixed(1)} ms`],
    ["asked for", `${call.number} keys`],
    ["outcome", call.text],
    ["keys", call.keys.join(", ")],
  ];
}

function rowsOfMessage(message) {
  const share = (key) => (key.share_bytes === undefined ? "" : `, x = ${key.x}, ${key.share_bytes} bytes`);
  const took = message.arrived_us === undefined ? "" : `, arrived ${seconds(message.arrived_us, 6)}`;
  return [
    ["sent", `${seconds(message.at_us, 6)}${took}`],
    ["fate", message.why ? `${message.fate}: ${message.why}` : message.fate],
    ["no answer", message.unanswered === "" ? "the reason is not known" : message.unanswered],
    ["lie", message.lie],
    ["attack", message.forged],
    ["says", message.says],
    ["keys", message.keys.map((key) => `${key.id}: ${key.says}${share(key)}`).join("; ")],
    ["MAC", message.mac],
    ["signature", message.signature],
    ["body", `${message.bytes} bytes`],
    ["adversary", message.keys.map((key) => knownAt(key.id, message.at_us)).filter(Boolean).join("; ")],
  ];
}

function knownAt(id, us) {
  const key = keyById.get(id);
  if (!key) return "";
  const held = key.adversary.filter((learnt) => learnt.at_us <= us).length;
  return `knows ${held} of the ${trace.threshold} shares of ${short(id)} that it takes`;
}

// The same as text, for those who want to read rather than look.
function listEvents() {
  if (!byId("list").open) return;
  const inTime = (event) => event.at_us >= state.from && event.at_us <= state.to;
  const plain = state.key || state.node || state.show !== "all" ? [] : others.filter(inTime);
  const broken = trace.violations.filter(inTime).map((each) => ({ ...each, type: "violation" }));
  const all = [...inSight(), ...plain, ...broken].sort((a, b) => a.at_us - b.at_us);
  const items = all.slice(0, ROWS_MAX).map((event) => {
    const item = document.createElement("li");
    const line = `${seconds(event.at_us, 6)}  ${event.type === "violation" ? `✗ ${event.invariant}: ${event.detail}` : words(event)}`;
    if (event.index === undefined) item.append(line);
    else item.append(button(line, () => choose(event, false), { "aria-current": String(event === state.chosen) }));
    return item;
  });
  if (all.length > ROWS_MAX) items.push(element("li", `… and ${all.length - ROWS_MAX} more: narrow the time range or filter.`));
  byId("events").replaceChildren(...items);
}

function setKey(id) {
  state.key = id;
  byId("key").value = id;
  for (const row of document.querySelectorAll("#keys tr[data-key]")) row.setAttribute("aria-selected", String(row.dataset.key === id));
  update();
}

function fill(select, options) {
  for (const [value, words] of options) select.append(element("option", words, { value }));
}

function goTo(index) {
  const broken = trace.violations[index];
  const [from, to] = focusOf(broken);
  if (broken?.keys.length === 1) setKey(broken.keys[0]);
  range(from, to);
}

fill(byId("key"), [["", "all keys"], ...trace.keys.map((key) => [key.id, `${short(key.id)}  ${key.master} → ${key.slaves.join(", ")}, ${seconds(key.at_us)}`])]);
fill(byId("node"), [["", "all nodes"], ...trace.nodes.map((node) => [node.name, `${node.name} (${node.role} ${node.index})`])]);
byId("key").addEventListener("change", (event) => setKey(event.target.value));
byId("node").addEventListener("change", (event) => { state.node = event.target.value; update(); });
byId("show").addEventListener("change", (event) => { state.show = event.target.value; update(); });
byId("squeeze").addEventListener("change", (event) => { state.squeeze = event.target.checked; update(); });
for (const id of ["from", "to"]) {
  byId(id).addEventListener("change", () => range(Number(byId("from").value) * 1e6, Number(byId("to").value) * 1e6));
}
const acts = {
  in: () => zoom(0.6), out: () => zoom(1 / 0.6), earlier: () => pan(-0.4), later: () => pan(0.4),
  whole: () => range(0, lastUs), first: () => goTo(0), next: () => step(1), previous: () => step(-1),
};
for (const [id, act] of Object.entries(acts)) byId(id).addEventListener("click", act);
for (const each of document.querySelectorAll("button[data-violation]")) {
  each.addEventListener("click", () => { goTo(Number(each.dataset.violation)); ladder.focus(); ladder.scrollIntoView({ block: "nearest" }); });
}
for (const each of document.querySelectorAll("#keys button[data-key]")) {
  each.addEventListener("click", () => {
    const key = keyById.get(each.dataset.key);
    setKey(state.key === key.id ? "" : key.id);
    if (state.key) {
      const about = things.filter((thing) => thing.keyIds.includes(key.id));
      range(...around(key.at_us, about.reduce((last, thing) => Math.max(last, thing.end), key.at_us)));
    }
  });
}

const keys = {
  ArrowUp: acts.earlier, ArrowDown: acts.later, "+": acts.in, "=": acts.in, "-": acts.out, ArrowRight: acts.next,
  ArrowLeft: acts.previous, n: acts.next, p: acts.previous, Home: acts.whole, v: acts.first, Escape: () => choose(null),
};
ladder.addEventListener("keydown", (event) => {
  const act = keys[event.key];
  if (act && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); act(); }
});

function usAt(event) {
  // Several events may come between two pictures.
  setKnots(inSight());
  const box = ladder.getBoundingClientRect();
  const part = (event.clientY - box.top - HEAD) / (box.height - HEAD - FOOT);
  return across(Math.max(0, Math.min(1, part)), "part", "us");
}

ladder.addEventListener("wheel", (event) => {
  event.preventDefault();
  if (event.shiftKey) pan(Math.sign(event.deltaY || event.deltaX) * 0.15);
  else zoom(event.deltaY > 0 ? 1.25 : 0.8, usAt(event));
}, { passive: false });

let drag = null;
ladder.addEventListener("pointerdown", (event) => {
  drag = { y: event.clientY, from: state.from, to: state.to, moved: false };
  ladder.setPointerCapture(event.pointerId);
});
ladder.addEventListener("pointermove", (event) => {
  if (!drag) {
    ladder.title = words(nearest(event) ?? { type: "" });
    return;
  }
  const by = event.clientY - drag.y;
  drag.moved ||= Math.abs(by) > 4;
  if (drag.moved) {
    const us = (by / (ladder.getBoundingClientRect().height - HEAD - FOOT)) * (drag.to - drag.from);
    range(drag.from - us, drag.to - us);
  }
});
ladder.addEventListener("pointerup", (event) => {
  if (drag && !drag.moved) choose(nearest(event), false);
  drag = null;
});

// What is drawn within eight pixels of the pointer.
function nearest(event) {
  const box = ladder.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
  let best = null, least = 8;
  for (const { thing, x1, y1, x2, y2 } of drawn) {
    const length = (x2 - x1) ** 2 + (y2 - y1) ** 2;
    const part = length ? Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length)) : 0;
    const away = Math.hypot(x - x1 - part * (x2 - x1), y - y1 - part * (y2 - y1));
    if (away < least) [best, least] = [thing, away];
  }
  return best;
}

overview.addEventListener("pointerdown", (event) => {
  const box = overview.getBoundingClientRect(), at = ((event.clientX - box.left) / box.width) * lastUs;
  const half = (state.to - state.from) / 2;
  range(at - half, at + half);
});
byId("list").addEventListener("toggle", update);
window.addEventListener("resize", update);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", update);
byId("first").textContent = trace.violations.length ? "violation" : "first call";
tell();
goTo(0);
