// A world for a browser: a simulated DigitalOcean and Arcadia over it, as processes
// of the real binary on ports of their own.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { chromium } from "playwright-core";

const binary = process.env.ARCADIA_BINARY;
if (!binary) throw new Error("ARCADIA_BINARY must name the program under test.");

// start runs the program and answers what it says first, as JSON.
async function start(args, env = {}) {
  const child = spawn(binary, args, { env: { PATH: process.env.PATH, HOME: "/nonexistent", ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let out = "", err = "";
  child.stderr.on("data", (d) => (err = (err + d).slice(-20000)));
  const ended = new Promise((r) => child.on("close", r));
  const said = await new Promise((resolve, reject) => {
    child.stdout.on("data", (d) => {
      out += d;
      try { resolve(JSON.parse(out)); } catch { /* not all of it yet */ }
    });
    ended.then((code) => reject(new Error(`${args.join(" ")} ended with ${code}: ${err}`)));
  });
  return {
    said, log: () => err,
    async stop(signal = "SIGTERM") { child.kill(signal); await ended; },
  };
}

// A World's pace makes a saga take about a second.
export const quick = { "action.snapshot": "700ms", "lag.snapshot_visible": "100ms", "lag.list_after_delete": "100ms", "lag.replica": "0s", "droplet.create": "10ms", "lag.get_after_create": "0s", "lag.list_after_create": "0s", "lag.tag": "0s" };

export class World {
  static async open({ params = quick, droplets = [], api, env = {} } = {}) {
    const w = new World();
    w.dir = await mkdtemp(join(tmpdir(), "arcadia-browser-"));
    w.cloud = await start(["dosim", "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--json"]);
    w.admin = w.cloud.said.admin_url;
    w.api = w.cloud.said.url;
    await w.set(params);
    for (const d of droplets) await w.droplet(d);
    w.env = {
      ARCADIA_DATA_DIR: join(w.dir, "data"), ARCADIA_DO_API_URL: api ?? w.api, ARCADIA_DO_TOKEN_PROVISIONING: "dop_v1_browser",
      ARCADIA_LEASE: "3s", ARCADIA_DO_HORIZON: "2s", ARCADIA_DO_POLL: "700ms", ...env,
    };
    await w.serve("127.0.0.1:0");
    return w;
  }

  // serve starts the server; after a stop, at the address that it had.
  async serve(addr = new URL(this.url).host) {
    this.server = await start(["serve", "--addr", addr, "--json"], this.env);
    this.url = this.server.said.url;
    for (let i = 0; i < 200; i++) {
      if ((await fetch(this.url + "/readyz").catch(() => null))?.ok) return;
      await pause(25);
    }
    throw new Error("the server is not ready: " + this.server.log());
  }

  async close() {
    await this.server.stop();
    await this.cloud.stop();
    await rm(this.dir, { recursive: true, force: true });
  }

  // ask sends JSON and answers JSON.
  async ask(method, url, body) {
    const res = await fetch(url, {
      method, headers: { "Content-Type": "application/json", Authorization: "Bearer dop_v1_browser" }, body: body && JSON.stringify(body),
    });
    const text = await res.text();
    if (!res.ok) throw new Error(`${method} ${url}: ${res.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  set(params) { return this.ask("PUT", this.admin + "/params", params); }
  fault(f) { return this.ask("POST", this.admin + "/faults", f); }
  truth(kind) { return this.ask("GET", this.admin + "/truth?kind=" + kind).then((a) => a.items); }
  droplet({ name, region = "nyc3", size = "s-1vcpu-1gb", tags = [] }) {
    return this.ask("POST", this.api + "/v2/droplets", { name, region, size, image: "ubuntu-24-04-x64", tags });
  }
  action(id, body) { return this.ask("POST", `${this.api}/v2/droplets/${id}/actions`, body); }
  // sync lists what there is, and waits for the end.
  async sync(...kinds) {
    const run = await this.ask("POST", `${this.url}/v1/accounts/default/sync`, { kinds });
    return this.until(() => this.ask("GET", `${this.url}/v1/sync-runs/${run.id}`), (r) => r.finished_at, "the sync is over");
  }
  saga(id) { return this.ask("GET", `${this.url}/v1/sagas/${id}`); }
  sagas() { return this.ask("GET", `${this.url}/v1/sagas?limit=200`).then((a) => a.items); }
  snapshot(ref) { return this.ask("POST", `${this.url}/v1/droplets/${ref}/snapshot`, {}); }

  // until polls what ask answers until ok says so.
  async until(ask, ok, what) {
    let last;
    for (const from = Date.now(); Date.now() - from < 60000; await pause(50)) {
      last = await ask();
      if (ok(last)) return last;
    }
    throw new Error(`it never came that ${what}: ${JSON.stringify(last)}`);
  }
}

// launch starts the browser. It reaches this machine alone.
export function launch() {
  return chromium.launch({
    executablePath: process.env.ARCADIA_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

// visitOf opens a browser window for a test on a world, and fails the test afterwards
// for every error in the console, violation of the policy, and request to another
// host. close says that the world is the test's own.
export async function visitOf(t, browser, of, { close = false, expect = () => false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", baseURL: of.url, ...options });
  context.setDefaultTimeout(30000); // CI machines are slow; nothing waits for it to pass
  const wrong = [];
  context.on("request", (r) => { if (new URL(r.url()).host !== new URL(of.url).host) wrong.push("request to " + r.url()); });
  context.on("console", (m) => { if (m.type() === "error" || m.text().includes("Content Security Policy")) wrong.push("console: " + m.text()); });
  context.on("weberror", (e) => wrong.push("error: " + e.error()));
  await context.addInitScript(() => addEventListener("securitypolicyviolation", (e) => console.error("Content Security Policy: " + e.violatedDirective + " " + e.blockedURI)));
  t.after(async () => {
    await context.close();
    if (close) await of.close();
    assert.deepEqual(wrong.filter((w) => !expect(w)), [], "the browser complained");
  });
  return context.newPage();
}

const axe = await readFile(new URL("node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

// axeFinds fails where axe finds something on a page, or where the page is wider than
// its window.
export async function axeFinds(page, where) {
  await page.evaluate(() => document.querySelectorAll("details:not(.menu)").forEach((d) => { d.open = true; }));
  await page.evaluate(axe + "; 0");
  const found = await page.evaluate(() => axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }));
  assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target + " " + (n.any[0]?.message ?? "")).slice(0, 3).join(" | ")}`), [], where);
  assert.ok(found.passes.length > 10, "axe looked at the page");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${where} is ${wide} px too wide`);
}
