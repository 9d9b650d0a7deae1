// The axis of time: where a moment is on the ladder, and what stands beside it.

// Simulated time to a part of the height, as knots in order. Where nothing happens for long, time is squeezed: exchanges
// take milliseconds, and there may be seconds between them.
const SQUEEZED_MAX = 500, quietUs = 1000 * trace.plan.cluster.latency_ms[1];
let knots = [{ us: 0, part: 0 }, { us: 1, part: 1 }];

function setKnots(seen) {
  const ends = [state.from, state.to];
  if (state.squeeze && seen.length <= SQUEEZED_MAX) {
    ends.push(...seen.flatMap((thing) => [thing.at_us, thing.end]));
    ends.push(...trace.violations.map((broken) => broken.at_us));
    ends.push(...trace.faults.flatMap((fault) => [fault.at_us, fault.until_us]));
  }
  const times = [...new Set(ends)].filter((us) => us >= state.from && us <= state.to).sort((a, b) => a - b);
  let part = 0;
  knots = times.map((us, index) => {
    const idle = index ? us - times[index - 1] : 0;
    const isSqueezed = times.length > 2 && idle > 1.5 * quietUs;
    part += isSqueezed ? quietUs : idle;
    return { us, part, idle: isSqueezed ? idle : 0 };
  });
  for (const knot of knots) knot.part /= part;
}

// From one side of the knots to the other, in a straight line between two of them.
function across(value, from, to) {
  let low = 1, high = knots.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (knots[middle][from] < value) low = middle + 1; else high = middle;
  }
  const [a, b] = [knots[low - 1], knots[low]];
  return a[to] + ((value - a[from]) / (b[from] - a[from])) * (b[to] - a[to]);
}

const yOf = (us, place) => place.top + across(us, "us", "part") * (place.bottom - place.top);

function drawTicks(pen, c, place) {
  pen.font = "11px system-ui, sans-serif";
  if (knots.some((knot) => knot.idle)) {
    drawKnots(pen, c, place);
    return;
  }
  const span = state.to - state.from, wanted = span / Math.max(2, (place.bottom - place.top) / 60);
  const power = 10 ** Math.floor(Math.log10(wanted));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= wanted);
  const digits = Math.max(0, Math.min(6, 6 - Math.floor(Math.log10(step))));
  for (let us = Math.ceil(state.from / step) * step; us <= state.to; us += step) {
    const y = yOf(us, place);
    if (y < place.top + 7) continue;
    line(pen, c.grid, 0.5, AXIS - 6, y, place.right, y);
    text(pen, c, seconds(us, digits), AXIS - 10, y, c.muted, "right");
  }
}

const span = (us) => (us < 1e6 ? `${(us / 1e3).toFixed(0)} ms` : seconds(us, us < 1e7 ? 2 : 1));

// Squeezed time has no even ticks: the times at which something happens are named, and how long nothing does.
function drawKnots(pen, c, place) {
  let last = place.top - 6;
  knots.forEach((knot, index) => {
    const y = yOf(knot.us, place);
    if (knot.idle) {
      const above = yOf(knots[index - 1].us, place), middle = (above + y) / 2;
      line(pen, c.grid, 1, AXIS - 6, middle, place.right, middle, [2, 4]);
      if (y - above > 13 && middle - last > 12) {
        text(pen, c, `⋮ ${span(knot.idle)}`, AXIS - 10, middle, c.muted, "right");
        last = middle;
      }
    }
    if (y - last < 14 || y > place.bottom - 4) return;
    line(pen, c.grid, 0.5, AXIS - 6, y, place.right, y);
    text(pen, c, seconds(knot.us), AXIS - 10, y, c.text, "right");
    last = y;
  });
}
