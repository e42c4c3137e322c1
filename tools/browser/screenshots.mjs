// screenshots writes a picture of every page in both colour schemes, for a desk and
// for a phone, into the directory that it is given.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { openBooks } from "./books.mjs";
import { Stacks, brisk, hosted, patience } from "./stacks.mjs";
import { World, launch } from "./world.mjs";

const out = process.argv[2];
if (!out) throw new Error("usage: node screenshots.mjs DIRECTORY");
await mkdir(out, { recursive: true });

const tenants = ["atlas-freight", "bluefin-foods", "dune-travel", "kestrel-media", "lumen-labs", "old-shop"];
const droplets = [];
for (const [i, tenant] of tenants.entries()) {
  for (const role of ["web", "db", "worker"]) {
    droplets.push({ name: `${tenant}-${role}-1`, region: ["nyc3", "fra1", "sgp1", "ams3"][i % 4], size: role === "db" ? "s-2vcpu-4gb" : "s-1vcpu-1gb", tags: i === 5 ? [] : ["tenant:" + tenant, role] });
  }
}
const world = await World.open({ params: { ...brisk, "action.snapshot": "1500ms", "action.rename": "10ms" }, droplets, env: patience });
const browser = await launch();
try {
  const pages = await story(world);
  for (const scheme of ["light", "dark"]) {
    for (const [width, height] of [[1440, 900], [390, 844]]) {
      const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height }, deviceScaleFactor: width < 500 ? 2 : 1, reducedMotion: "reduce" });
      const page = await context.newPage();
      for (const [name, path, act] of pages) {
        await page.goto(world.url + path);
        if (await page.locator("#feed").count()) await page.locator('[data-pulse="live"]').waitFor();
        if (act) await act(page);
        await page.screenshot({ path: join(out, `${name}-${width}-${scheme}.png`), fullPage: true });
      }
      await context.close();
    }
  }
} finally {
  await browser.close();
  await world.close();
}

// story makes sagas of every sort, and answers the pages that show them.
async function story(w) {
  const first = await w.sync();
  const list = await w.ask("GET", w.url + "/v1/droplets");
  const id = (name) => list.items.find((d) => d.name === name).id;
  const ended = (s) => w.until(() => w.saga(s.id), (x) => ["completed", "rolled_back", "stuck"].includes(x.state), "a saga ends");
  const smoke = await w.ask("POST", `${w.url}/v1/droplets/${id("atlas-freight-web-1")}/smoke`, {});
  const done = await w.snapshot(id("bluefin-foods-db-1"));
  await Promise.all([smoke, done].map(ended));
  await w.fault({ match: { method: "POST", path: "/v2/droplets/*/actions" }, kind: "5xx_after_commit", times: 1 });
  const lost = await w.snapshot(id("dune-travel-web-1"));
  await ended(lost);
  await w.ask("POST", w.url + "/v1/tenant-imports", { from: "tags" });
  const of = await stacksOf(w);
  await w.set({ "action.snapshot": "1h" });
  const waiting = await w.snapshot(id("kestrel-media-db-1"));
  const queued = await w.snapshot(id("kestrel-media-db-1"));
  const paused = await w.snapshot(id("lumen-labs-web-1"));
  await w.until(() => w.saga(paused.id), (s) => s.state === "waiting", "it waits");
  await w.ask("POST", `${w.url}/v1/sagas/${paused.id}/pause`, { reason: "disk check at 10:00" });
  await w.until(() => w.saga(paused.id), (s) => s.state === "paused", "it is paused");
  await w.action(id("atlas-freight-web-1"), { type: "rename", name: "atlas-freight-front-1" });
  await w.sync();
  const [subscription] = await openBooks(w, "atlas-freight", "bluefin-foods");
  let issued = [];
  while (!issued.length) { // runs stay a minute behind the clock
    await pause(1000);
    issued = (await w.ask("POST", w.url + "/v1/billing-runs", {})).issued;
  }
  await w.ask("POST", w.url + "/v1/payments", { currency: "EUR", amount: 5000, invoices: [issued[0].number] });
  const urn = "do:droplet:" + id("atlas-freight-web-1");
  const finding = (await w.ask("GET", w.url + "/findings.json")).items[0];
  const confirm = async (page) => page.locator("[data-ask]", { hasText: "Cancel and undo" }).first().click().then(() => page.locator("dialog[open]").waitFor());
  const scope = "tenant:lumen-labs";
  const freeze = (page) => w.ask("POST", w.url + "/v1/freezes", { scope, reason: "Their bill doubled over night" }).then(() => page.reload());
  const thaw = (page) => fetch(`${w.url}/v1/freezes/${scope}`, { method: "DELETE" }).then(() => page.reload()); // it stood on the last pages of a round
  return [
    ["overview", "/", thaw], ["droplet", `/inventory/do:droplet:${id("kestrel-media-db-1")}`],
    ["sagas", "/sagas"], ["sagas-empty", "/sagas?state=stuck"],
    ["saga-waiting", `/sagas/${waiting.id}`], ["saga-queued", `/sagas/${queued.id}`], ["saga-paused", `/sagas/${paused.id}`],
    ["saga-completed", `/sagas/${done.id}`], ["saga-rolled-back", `/sagas/${smoke.id}`], ["saga-lost-answer", `/sagas/${lost.id}`],
    ["confirm", `/sagas/${waiting.id}/cancel`], ["confirm-dialog", `/sagas/${waiting.id}`, confirm], ["snapshot", `/inventory/do:droplet:${id("atlas-freight-db-1")}/snapshot`], ["smoke", "/smoke"],
    ["inventory", "/inventory"], ["inventory-searched", "/inventory?q=kind:droplet+tenant:atlas-freight"], ["inventory-empty", "/inventory?q=nothing"],
    ["inventory-wrong", "/inventory?q=kind:droplet+colour:red"], ["resource", "/inventory/" + urn], ["assign", "/inventory/assign?urn=" + urn],
    ["changes", "/changes"], ["tenants", "/tenants"], ["tenant", "/tenants/atlas-freight"], ["tenant-add", "/tenants/add"], ["tenant-import", "/tenants/import?from=tags"],
    ["findings", "/findings"], ["mute", `/findings/${finding.id}/mute`], ["stacks", "/stacks"], ["stack", "/stacks/" + of.hosted], ["stack-suspended", "/stacks/" + of.suspended],
    ["stack-new", "/stacks/new?blueprint=hosted"], ["stack-verb", `/stacks/${of.hosted}/plan/restore`], ["stack-protect", `/stacks/${of.hosted}/protect`],
    ["blueprints", "/blueprints"], ["blueprint", "/blueprints/sky-ai"], ["adopt", "/stacks/adopt"], ["adopt-form", "/stacks/adopt?blueprint=minimal"], ["cleanup", "/cleanup"],
    ["plan", "/plans/" + of.planned], ["plan-apply", `/plans/${of.planned}/apply`], ["plan-applied", "/plans/" + of.applied], ["plan-rolled-back", "/plans/" + of.failed],
    ["backups", "/backups"], ["freezes-none", "/freezes"], ["freeze", "/freezes/new"], ["accounts", "/accounts"], ["account", "/accounts/default"], ["sync", "/syncs/" + first.id],
    ["billing", "/billing"], ["invoices", "/invoices"], ["invoices-empty", "/invoices?state=void"], ["invoice", "/invoices/" + issued[0].number],
    ["subscriptions", "/subscriptions"], ["subscription", "/subscriptions/" + subscription.id], ["catalog", "/catalog"], ["usage", "/usage"],
    ["usage-of-one", "/usage?span=7d&tenant=bluefin-foods"], ["usage-empty", "/usage?span=24h&tenant=dune-travel"], ["tenant-billing", "/tenants/atlas-freight/billing"],
    ["tenant-unbilled", "/tenants/dune-travel/billing"],
    ["not-found", "/nowhere"], ["freezes", "/freezes", freeze], ["frozen", "/stacks/" + of.suspended],
  ];
}

// stacksOf makes stacks: one with all that a stack has, one that is suspended, one that
// was taken back.
async function stacksOf(w) {
  const s = new Stacks(w);
  await w.ask("POST", w.api + "/v2/domains", { name: "hosted.example" });
  await w.ask("POST", w.url + "/v1/blueprints", { name: "hosted.yaml", source: hosted });
  const { id: applied, stack } = await s.apply({ verb: "provision", blueprint: "hosted", tenant: "atlas-freight", name: "front", parameters: {} });
  await s.keep(stack);
  const suspended = await s.make("edge", "bluefin-foods");
  await s.apply({ verb: "suspend", stack: suspended, options: { level: "2" } });
  const doomed = await s.plan({ verb: "provision", blueprint: "minimal", tenant: "kestrel-media", name: "doomed", parameters: { region: "nyc3" } });
  const fault = await w.fault({ match: { method: "POST", path: "/v2/firewalls" }, kind: "403_scope" });
  await s.carryOut(doomed.id);
  await w.ask("DELETE", `${w.admin}/faults/${fault.id}`);
  const { id: planned } = await s.plan({ verb: "teardown", stack });
  return { hosted: stack, suspended, applied, planned, failed: doomed.id };
}
