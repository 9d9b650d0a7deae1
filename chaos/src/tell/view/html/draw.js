// The two canvases: the ladder with the adversary's knowledge beside it, and the whole run in one strip.

const ladder = document.getElementById("ladder"), overview = document.getElementById("overview");
const HEAD = 58, FOOT = 14, AXIS = 64;
// More arrows than this are drawn without heads: nobody could tell them apart.
const FINE_MAX = 600;

function ink() {
  const style = getComputedStyle(document.documentElement);
  const names = ["bg", "card", "text", "muted", "grid", "fault", "down", "lying", "good", "blame", "bad", "link"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function prepare(canvas) {
  const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
  const [wide, tall] = [Math.max(1, Math.round(box.width)), Math.max(1, Math.round(box.height))];
  if (canvas.width !== wide * ratio || canvas.height !== tall * ratio) {
    canvas.width = wide * ratio;
    canvas.height = tall * ratio;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, wide, tall);
  pen.font = "12px system-ui, sans-serif";
  return { pen, wide, tall };
}

// Where lanes are, and where the chart is.
function layout(wide, tall) {
  const chart = wide < 700 ? 92 : 150, right = wide - chart - 24;
  const gap = (right - AXIS) / trace.nodes.length;
  const lanes = new Map(trace.nodes.map((node, index) => [node.name, AXIS + gap * (index + 0.5)]));
  return { gap, lanes, right, chart: { left: wide - chart, right: wide - 16 }, top: HEAD, bottom: tall - FOOT };
}

function colour(thing, c) {
  if (thing.type === "call") {
    if (thing.outcome === "keys") return c.good;
    return isTrouble(thing) ? c.bad : c.muted;
  }
  if (thing.lie) return c.lying;
  if (thing.forged) return c.blame;
  if (thing.fate === "lost" || thing.fate === "late" || thing.unanswered !== undefined) return c.down;
  return hubs.has(thing.from) ? c.muted : c.text;
}

function draw() {
  const c = ink();
  drawLadder(c);
  drawOverview(c);
}

// What is drawn where, to find what the pointer is at.
let drawn = [];

function drawLadder(c) {
  const { pen, wide, tall } = prepare(ladder), place = layout(wide, tall);
  drawn = [];
  const seen = inSight(), arrows = seen.filter((thing) => thing.type === "message");
  setKnots(seen);
  pen.save();
  pen.beginPath();
  pen.rect(0, HEAD, wide, tall - HEAD);
  pen.clip();
  const faults = drawFaults(pen, c, place);
  drawTicks(pen, c, place);
  for (const x of place.lanes.values()) line(pen, c.grid, 1, x, place.top, x, place.bottom);
  drawCalls(pen, c, place, seen.filter((thing) => thing.type === "call"));
  for (const thing of arrows) drawArrow(pen, c, place, thing, arrows.length);
  drawStarts(pen, c, place);
  nameFaults(pen, c, place, faults);
  drawKnowledge(pen, c, place);
  drawViolations(pen, c, place);
  pen.restore();
  drawHead(pen, c, place, wide);
}

function line(pen, stroke, width, x1, y1, x2, y2, dash = []) {
  pen.strokeStyle = stroke;
  pen.lineWidth = width;
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x2, y2);
  pen.stroke();
  pen.setLineDash([]);
}

// Text with a rim of the background, so that lines do not strike it out.
function text(pen, c, words, x, y, fill = c.text, align = "left") {
  pen.textAlign = align;
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 3;
  pen.strokeStyle = c.bg;
  pen.strokeText(words, x, y);
  pen.fillStyle = fill;
  pen.fillText(words, x, y);
}

function drawHead(pen, c, place, wide) {
  pen.fillStyle = c.bg;
  pen.fillRect(0, 0, wide, HEAD);
  pen.font = "600 12px system-ui, sans-serif";
  for (const node of trace.nodes) {
    const x = place.lanes.get(node.name);
    const fill = node.role === "outsider" || node.role === "rogue" ? c.blame : node.lies ? c.lying : c.text;
    const tag = node.role === "hub" ? `hub ${node.index}` : node.role === "client" ? `client ${node.index}` : node.role;
    if (place.gap >= 50) {
      text(pen, c, node.name, x, HEAD - 30, fill, "center");
      pen.font = "10px system-ui, sans-serif";
      text(pen, c, tag, x, HEAD - 15, c.muted, "center");
      pen.font = "600 12px system-ui, sans-serif";
    } else {
      pen.save();
      pen.translate(x, HEAD - 8);
      pen.rotate(-Math.PI / 4);
      text(pen, c, node.name, 0, 0, fill);
      pen.restore();
    }
    if (node.adversary) {
      pen.fillStyle = c.bad;
      pen.fillRect(x - 10, HEAD - 5, 20, 3);
    }
  }
  pen.font = "11px system-ui, sans-serif";
  const { left, right } = place.chart;
  const isWide = right - left > 110;
  text(pen, c, isWide ? "the adversary’s shares" : "adversary", left, 9, c.text);
  text(pen, c, state.key ? `of key ${short(state.key)}` : isWide ? "most of any key" : "any key", left, 22, c.text);
  const most = chartMost();
  for (let held = 0; held <= most; held++) {
    if (held && held !== trace.threshold && held !== most) continue;
    const x = left + ((right - left) * held) / most;
    const isK = held === trace.threshold;
    text(pen, c, isK ? `K = ${held}` : String(held), x, HEAD - 10, isK ? c.bad : c.muted, "center");
  }
  line(pen, c.grid, 1, 0, HEAD - 0.5, wide, HEAD - 0.5);
  pen.font = "12px system-ui, sans-serif";
}

function drawFaults(pen, c, place) {
  const labels = [];
  for (const fault of trace.faults) {
    if (fault.until_us < state.from || fault.at_us > state.to) continue;
    if (state.node && ![...fault.nodes, ...fault.links.flat()].includes(state.node)) continue;
    const top = Math.max(place.top, yOf(fault.at_us, place)), bottom = Math.min(place.bottom, yOf(fault.until_us, place));
    const tall = Math.max(2, bottom - top);
    pen.fillStyle = c.fault;
    let x = 0;
    for (const name of fault.nodes) {
      x = place.lanes.get(name);
      pen.globalAlpha = 0.75;
      pen.fillRect(x - 9, top, 18, tall);
    }
    for (const [client, hub] of fault.links) {
      const [a, b] = [place.lanes.get(client), place.lanes.get(hub)];
      pen.globalAlpha = 0.16;
      pen.fillRect(Math.min(a, b), top, Math.abs(a - b), tall);
      pen.globalAlpha = 0.75;
      for (const end of [a, b]) pen.fillRect(end - 4, top, 8, tall);
      x = b;
    }
    pen.globalAlpha = 1;
    labels.push([fault.text, x, top + 9]);
  }
  return labels.sort((a, b) => a[2] - b[2]);
}

function nameFaults(pen, c, place, labels) {
  pen.font = "11px system-ui, sans-serif";
  let last = -99;
  for (const [words, x, y] of labels) {
    if (labels.length > 24 && y - last < 12) continue;
    const at = Math.max(y, last + 12);
    const align = x > (AXIS + place.right) / 2 ? "right" : "left";
    text(pen, c, words, x + (align === "right" ? -12 : 12), at, c.muted, align);
    last = at;
  }
}

function drawCalls(pen, c, place, calls) {
  pen.font = "11px system-ui, sans-serif";
  const ends = new Map();
  for (const call of calls) {
    // Calls of an SAE that overlap lie side by side.
    const taken = ends.get(call.client) ?? [];
    let column = taken.findIndex((end) => end <= call.at_us);
    if (column < 0) column = taken.length;
    taken[column] = call.end;
    ends.set(call.client, taken);
    const x = place.lanes.get(call.client) - 9 - (column % 3) * 7;
    const top = yOf(call.at_us, place), tall = Math.max(3, yOf(call.end, place) - top);
    pen.fillStyle = colour(call, c);
    pen.globalAlpha = call === state.chosen ? 1 : 0.75;
    pen.fillRect(x, top, 6, tall);
    pen.globalAlpha = 1;
    if (call === state.chosen) outline(pen, c, x - 2, top - 2, 10, tall + 4);
    if (calls.length <= 40 && tall > 11 && place.gap > 50) {
      const name = `call ${call.id} ${call.role}`, hasRoom = x - pen.measureText(name).width > AXIS;
      text(pen, c, name, hasRoom ? x - 3 : x + 14, top + 7, colour(call, c), hasRoom ? "right" : "left");
    }
    drawn.push({ thing: call, x1: x + 3, y1: top, x2: x + 3, y2: top + tall });
  }
}

function outline(pen, c, x, y, wide, tall) {
  pen.strokeStyle = c.link;
  pen.lineWidth = 2;
  pen.strokeRect(x, y, wide, tall);
}

function drawArrow(pen, c, place, thing, many) {
  const x1 = place.lanes.get(thing.from), x2 = place.lanes.get(thing.to);
  if (x1 === undefined && x2 === undefined) return;
  const stroke = colour(thing, c), isChosen = thing === state.chosen;
  const from = x1 ?? AXIS, y1 = yOf(thing.at_us, place), y2 = yOf(thing.end, place);
  const isLost = thing.fate === "lost", isLate = thing.fate === "late";
  const stop = isLost ? 0.62 : 1, to = from + (x2 - from) * stop, yEnd = y1 + (y2 - y1) * stop;
  if (isChosen) line(pen, c.link, 7, from, y1, to, yEnd);
  const special = thing.lie || thing.forged || isLost || isLate;
  const width = many > FINE_MAX ? 0.6 : special ? 1.8 : 1.1;
  line(pen, stroke, width, from, y1, to, yEnd, isLost || isLate ? [5, 4] : []);
  drawn.push({ thing, x1: from, y1, x2: to, y2: yEnd });
  if (many > FINE_MAX) return;
  if (isLost) cross(pen, stroke, to, yEnd);
  else head(pen, stroke, from, y1, to, yEnd, isLate || thing.fate === "ignored");
  if (thing.unanswered !== undefined) text(pen, c, "no answer", to + 6, yEnd + 2, stroke);
  const note = thing.lie ?? thing.forged?.replace(/^(flood|rogue):/, "");
  if (many <= 90 && place.gap >= 52 && (special || many <= 60)) {
    const words = note && note !== label(thing) ? `${label(thing)}: ${note}` : isLost ? `${label(thing)} lost` : isLate ? `${label(thing)} late` : label(thing);
    pen.font = "10px system-ui, sans-serif";
    const side = to > from ? -1 : 1;
    text(pen, c, words, to + side * 9, yEnd - 6, stroke, side < 0 ? "right" : "left");
  }
}

function head(pen, fill, x1, y1, x2, y2, isHollow) {
  const angle = Math.atan2(y2 - y1, x2 - x1), size = 6;
  pen.beginPath();
  pen.moveTo(x2, y2);
  for (const turn of [2.7, -2.7]) pen.lineTo(x2 + size * 1.3 * Math.cos(angle + turn), y2 + size * 1.3 * Math.sin(angle + turn));
  pen.closePath();
  pen.fillStyle = pen.strokeStyle = fill;
  pen.lineWidth = 1;
  if (isHollow) pen.stroke(); else pen.fill();
}

function cross(pen, stroke, x, y) {
  line(pen, stroke, 2, x - 4, y - 4, x + 4, y + 4);
  line(pen, stroke, 2, x - 4, y + 4, x + 4, y - 4);
}

function drawStarts(pen, c, place) {
  for (const event of others) {
    if (event.type !== "start" || event.at_us < state.from || event.at_us > state.to) continue;
    const x = place.lanes.get(event.node), y = yOf(event.at_us, place);
    pen.strokeStyle = c.muted;
    pen.lineWidth = 1.5;
    pen.strokeRect(x - 3.5, y - 3.5, 7, 7);
  }
}

function chartMost() {
  return Math.max(trace.threshold, trace.hubs, 1);
}

// Steps of what the adversary holds, on the time axis of the ladder, with K as a line.
function drawKnowledge(pen, c, place) {
  const { left, right } = place.chart, most = chartMost();
  const xOf = (held) => left + ((right - left) * held) / most;
  pen.fillStyle = c.card;
  pen.fillRect(left - 6, place.top, right - left + 12, place.bottom - place.top);
  for (let held = 0; held <= most; held++) line(pen, c.grid, 0.5, xOf(held), place.top, xOf(held), place.bottom);
  const steps = stepsNow();
  let held = 0, y = place.top;
  const rest = [...steps.filter((step) => step.at <= state.to), { at: state.to, held: null }];
  for (const step of rest) {
    const next = Math.max(place.top, yOf(step.at, place));
    if (next > y) {
      const stroke = held >= trace.threshold ? c.bad : c.blame;
      pen.fillStyle = stroke;
      pen.globalAlpha = 0.2;
      pen.fillRect(xOf(0), y, xOf(held) - xOf(0), next - y);
      pen.globalAlpha = 1;
      line(pen, stroke, 2, xOf(held), y, xOf(held), next);
    }
    if (step.held !== null) {
      if (step.at >= state.from) line(pen, c.blame, 2, xOf(held), next, xOf(step.held), next);
      held = step.held;
    }
    y = Math.max(y, next);
  }
  line(pen, c.bad, 1.5, xOf(trace.threshold), place.top, xOf(trace.threshold), place.bottom, [6, 4]);
}

function drawViolations(pen, c, place) {
  pen.font = "600 12px system-ui, sans-serif";
  const grouped = new Map();
  for (const broken of trace.violations) {
    if (broken.at_us < state.from || broken.at_us > state.to) continue;
    const y = Math.round(yOf(broken.at_us, place));
    grouped.set(y, [...(grouped.get(y) ?? []), broken]);
  }
  let last = -99;
  for (const [y, list] of grouped) {
    line(pen, c.bad, 2, AXIS - 6, y, place.right, y);
    if (y - last < 14 && grouped.size > 12) continue;
    const names = [...new Set(list.map((broken) => broken.invariant))].join(", ");
    const room = Math.floor((place.right - AXIS) / 6.6);
    const words = `✗ ${names}: ${list[0].detail}`;
    text(pen, c, words.length > room ? `${words.slice(0, room - 1)}…` : words, AXIS, y + (y > place.bottom - 16 ? -9 : 10), c.bad);
    last = y;
  }
}

function drawOverview(c) {
  const { pen, wide, tall } = prepare(overview);
  const xOf = (us) => (us / lastUs) * wide;
  const counts = new Array(wide).fill(0);
  for (const thing of things) if (isWanted(thing)) counts[Math.min(wide - 1, Math.floor(xOf(thing.at_us)))]++;
  const most = Math.max(1, ...counts);
  for (const fault of trace.faults) {
    pen.fillStyle = c.fault;
    pen.globalAlpha = 0.6;
    pen.fillRect(xOf(fault.at_us), 0, Math.max(1, xOf(fault.until_us) - xOf(fault.at_us)), tall);
  }
  pen.globalAlpha = 1;
  pen.fillStyle = c.muted;
  counts.forEach((count, x) => {
    const high = count ? Math.max(2, (Math.sqrt(count / most) * (tall - 16))) : 0;
    pen.fillRect(x, tall - 12 - high, 1, high);
  });
  for (const broken of trace.violations) line(pen, c.bad, 2, xOf(broken.at_us), 0, xOf(broken.at_us), tall - 12);
  const heal = xOf(trace.heal_us);
  line(pen, c.text, 1, heal, 0, heal, tall - 12, [3, 3]);
  pen.font = "10px system-ui, sans-serif";
  text(pen, c, "0 s", 3, tall - 6, c.muted);
  text(pen, c, seconds(lastUs, 1), wide - 3, tall - 6, c.muted, "right");
  text(pen, c, "faults end", heal + 4, tall - 6, c.muted);
  const left = xOf(state.from), right = Math.max(left + 3, xOf(state.to));
  pen.fillStyle = c.link;
  pen.globalAlpha = 0.18;
  pen.fillRect(left, 0, right - left, tall);
  pen.globalAlpha = 1;
  outline(pen, c, left, 1, right - left, tall - 2);
}
