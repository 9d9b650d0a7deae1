"use strict";
// What the page knows: the trace, and what of it is to be shown. The axis of time is in axis.js, drawing in
// draw.js, steering in steer.js.

const trace = JSON.parse(document.getElementById("trace").textContent);
const hubs = new Set(trace.nodes.filter((node) => node.role === "hub").map((node) => node.name));
const short = (id) => id.slice(0, 8);
const seconds = (us, digits = 3) => (us / 1e6).toFixed(digits) + " s";

// Messages and calls: what has an extent in time and can be chosen.
const things = trace.events
  .filter((event) => event.type === "message" || event.type === "call")
  .map((event, index) => ({ ...event, index, end: endOf(event), keyIds: keysOf(event) }));
// Everything else that is worth a line in the list.
const others = trace.events.filter((event) => event.type !== "message" && event.type !== "call");
const lastUs = Math.max(trace.end_us, ...trace.violations.map((broken) => broken.at_us));
const longest = things.reduce((most, thing) => Math.max(most, thing.end - thing.at_us), 0);

function endOf(event) {
  if (event.type === "call") return event.until_us;
  // What is lost was under way for as long as messages are at most.
  return event.arrived_us ?? event.at_us + 1000 * trace.plan.cluster.latency_ms[1];
}

function keysOf(event) {
  return event.type === "call" ? event.keys : event.keys.map((key) => key.id);
}

function isTrouble(thing) {
  if (thing.type === "call") return thing.outcome !== "keys" && thing.role !== "intruder" && thing.role !== "slave-again";
  return thing.fate === "lost" || thing.fate === "late" || Boolean(thing.lie || thing.forged || thing.unanswered !== undefined);
}

// From when to when, and what of it.
const state = { from: 0, to: lastUs, key: "", node: "", show: "all", squeeze: true, chosen: null };

// A call that fails names no key: it belongs to the keys of the master's call of the same number.
const keysOfCall = new Map();
for (const thing of things) {
  if (thing.type === "call" && thing.keys.length) keysOfCall.set(thing.id, thing.keys);
}

function isWanted(thing) {
  if (state.key) {
    const ids = thing.type === "call" ? keysOfCall.get(thing.id) ?? [] : thing.keyIds;
    if (!ids.includes(state.key)) return false;
  }
  if (state.node) {
    const ends = thing.type === "call" ? [thing.client] : [thing.from, thing.to];
    if (!ends.includes(state.node)) return false;
  }
  if (state.show === "trouble") return isTrouble(thing);
  if (state.show === "honest") {
    return thing.type === "call" || !(attackers.has(thing.from) || attackers.has(thing.to));
  }
  return true;
}
const attackers = new Set(trace.nodes.filter((n) => n.role === "outsider" || n.role === "rogue").map((n) => n.name));

// Things are in order of their beginnings: those in sight begin between here and there.
function inSight() {
  let low = lowerBound(state.from - longest), found = [];
  for (; low < things.length && things[low].at_us <= state.to; low++) {
    if (things[low].end >= state.from && isWanted(things[low])) found.push(things[low]);
  }
  return found;
}

function lowerBound(us) {
  let low = 0, high = things.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (things[middle].at_us < us) low = middle + 1; else high = middle;
  }
  return low;
}

// How many shares of a key the adversary holds, as steps in time; without a key, the most that it holds of any.
function stepsOf(key) {
  if (key) return key.adversary.map((learnt) => ({ at: learnt.at_us, held: learnt.held, learnt }));
  const steps = [];
  let most = 0;
  const all = trace.keys.flatMap((each) => each.adversary).sort((a, b) => a.at_us - b.at_us);
  for (const learnt of all) {
    if (learnt.held > most) steps.push({ at: learnt.at_us, held: most = learnt.held, learnt });
  }
  return steps;
}
const mostOfAny = stepsOf(null);
const keyById = new Map(trace.keys.map((key) => [key.id, key]));
const stepsNow = () => (keyById.has(state.key) ? stepsOf(keyById.get(state.key)) : mostOfAny);

// Where to look first: at what led to a violation; otherwise at the first calls.
function focusOf(broken) {
  if (!broken) {
    const first = things.find((thing) => thing.type === "call");
    return first ? around(first.at_us, first.end) : [0, lastUs];
  }
  const about = things.filter((thing) => thing.keyIds.some((id) => broken.keys.includes(id)));
  if (!about.length) return around(broken.at_us - 500e3, broken.at_us + 50e3);
  const end = about.reduce((last, thing) => Math.max(last, thing.end), 0);
  const until = Math.max(about[0].at_us, Math.min(end, broken.at_us));
  // A key that lived long: its end matters most.
  return around(Math.max(about[0].at_us, until - 5e6), until);
}

function around(from, to) {
  const margin = Math.max(4e3, (to - from) * 0.06);
  return [Math.max(0, from - margin), to + margin];
}

function label(thing) {
  const said = [...new Set(thing.keys.map((key) => key.says))].join("/");
  switch (thing.kind) {
    case "receipt": return said || "receipt";
    case "shares": return said || "shares";
    case "refusal": return "refused";
    default: return thing.kind;
  }
}

function words(event) {
  const keys = (ids) => ids.map(short).join(" ");
  switch (event.type) {
    case "message": {
      const flags = [event.fate === "delivered" ? "" : event.fate.toUpperCase(), event.lie && `LIE ${event.lie}`,
        event.forged && `ATTACK ${event.forged}`, event.mac === "wrong" && "WRONG MAC",
        event.unanswered !== undefined && "NO ANSWER"];
      return `${event.from} → ${event.to}: ${label(event)} ${keys(keysOf(event))} ${flags.filter(Boolean).join(" ")}`;
    }
    case "call": return `call ${event.id} (${event.role}) by ${event.sae}: ${event.text} ${keys(event.keys)}`;
    case "lie": return `${event.hub} lies to ${event.to}: ${event.lie} ${keys(event.keys)}`;
    case "fault-begins": return `begins: ${trace.faults[event.fault]?.text}`;
    case "fault-ends": return `ends: ${trace.faults[event.fault]?.text}`;
    case "start": return `${event.node} starts${event.life ? `, ${event.life} times before` : ""}`;
    case "register": return `${event.client} registers at ${event.hub}`;
    case "psrd": return `${event.hub} delivers PSRD to ${event.client}, from which the ${event.owner} takes`;
    case "mark": return `reached ${event.mark}: ${event.about}`;
    default: return event.type;
  }
}
