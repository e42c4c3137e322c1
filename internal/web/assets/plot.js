// Plots, of what stands in the table beside them too. Pages with a plot load this after
// uPlot. Colours are the page's own, and follow its scheme.
const days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const two = (n) => String(n).padStart(2, "0");
const spaced = (n) => n.toLocaleString("en", { maximumFractionDigits: 3 }).replaceAll(",", "\u202f");

function drawPlot(host) {
  const data = JSON.parse(host.dataset.plot);
  const times = data.values.map((_, i) => data.from + i * data.step);
  const hourly = data.step < 86400;
  const name = (t) => {
    const d = new Date(t * 1000);
    const day = `${d.getUTCDate()} ${months[d.getUTCMonth()]}`;
    return hourly ? `${day} ${two(d.getUTCHours())}:00` : `${days[d.getUTCDay()]} ${day}`;
  };
  const ink = getComputedStyle(host).color;
  const dim = getComputedStyle(host.closest(".panel").querySelector(".dim")).color;
  const rule = getComputedStyle(host).borderTopColor;
  const reading = host.closest(".panel").querySelector("[data-reading]");
  const axis = { stroke: dim, font: "12px " + getComputedStyle(host).fontFamily, grid: { stroke: rule, width: 1 }, ticks: { stroke: rule, width: 1, size: 4 } };
  const plot = new uPlot({
    width: host.clientWidth, height: 260, legend: { show: false }, tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
    cursor: { drag: { x: false, y: false }, points: { show: false }, y: false },
    scales: { x: { range: () => [data.from - data.step / 2, data.from + (times.length - 0.5) * data.step] }, y: { range: (_, low, high) => [Math.min(low, 0), high > 0 ? high * 1.05 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, values: (_, at) => at.map((t) => (t % 86400 ? two(new Date(t * 1000).getUTCHours()) + ":00" : `${new Date(t * 1000).getUTCDate()} ${months[new Date(t * 1000).getUTCMonth()]}`)), space: 64 },
      { ...axis, size: 72, values: (_, at) => at.map(spaced) },
    ],
    series: [{}, { label: data.unit, stroke: ink, fill: ink, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.72, 48] }) }],
    hooks: {
      setCursor: [(u) => {
        const i = u.cursor.idx;
        reading.textContent = i == null ? "" : `${name(times[i])}: ${spaced(data.values[i])} ${data.unit}`;
      }],
    },
  }, [times, data.values], host);
  const resize = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height: 260 }));
  resize.observe(host);
  return () => { resize.disconnect(); plot.destroy(); };
}

let drawn = [];
function drawPlots() {
  for (const undo of drawn) undo();
  drawn = [...document.querySelectorAll("[data-plot]")].map(drawPlot);
}
drawPlots();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawPlots);
