// A world for a browser: a simulated DigitalOcean and Arcadia over it, as processes
// of the real binary on ports of their own.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
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
