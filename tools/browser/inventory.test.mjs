// The pages of the inventory in a real browser, over the real binary and a simulated
// DigitalOcean.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { World, axeFinds, launch, quick, visitOf } from "./world.mjs";

const names = ["alpha", "bravo", "charlie", "delta"];
const droplets = names.map((n, i) => ({ name: n + "-1", region: ["nyc3", "fra1"][i % 2], tags: i < 2 ? ["tenant:" + n] : [] }));

let browser, world;
before(async () => {
  [browser, world] = await Promise.all([launch(), World.open({ droplets, params: { ...quick, "action.rename": "10ms" } })]);
  await world.sync();
  await world.ask("POST", world.url + "/v1/tenant-imports", { from: "tags" });
});
after(async () => {
  await browser?.close();
  await world?.close();
});

const visit = (t, options) => visitOf(t, browser, world, options);
const live = (page) => page.locator('[data-pulse="live"]').waitFor();
const urn = async (name) => (await world.ask("GET", `${world.url}/inventory.json?q=name:${name}`)).items[0].urn;

for (const script of [true, false]) {
  test(`from a sync to a resource and to its tenant, ${script ? "with" : "without"} JavaScript`, async (t) => {
    const page = await visit(t, { javaScriptEnabled: script });
    const form = page.locator(script ? "dialog[open] #confirm" : "main #confirm");
    await page.goto("/accounts");
    await page.getByRole("link", { name: "Sync now" }).click();
    await form.getByLabel("What to list").selectOption("droplet");
    await form.locator(".actions button").click();
    await page.waitForURL(/\/syncs\/sync_/);
    if (!script) await world.until(async () => { await page.reload(); return page.locator(".head .badge").innerText(); }, (s) => s.includes("Complete"), "the sync is over");
    await page.locator(".head .badge", { hasText: "Complete" }).waitFor();

    const name = script ? "charlie" : "delta";
    await page.goto("/inventory");
    await page.getByLabel("What to look for").fill("kind:droplet " + name);
    await page.keyboard.press("Enter");
    await page.waitForURL(/q=kind/);
    assert.equal(await page.locator("tbody tr").count(), 1);
    await page.getByRole("link", { name: name + "-1" }).click();
    assert.match(await page.locator("#live").innerText(), /Unattributed/);
    if (script) {
      await live(page);
      await page.evaluate(() => { window.same = true; });
    }

    // Somebody renames it by hand; the open page tells.
    const of = await urn(name + "-1");
    await world.action(of.split(":")[2], { type: "rename", name: name + "-2" });
    await world.until(() => world.sync("droplet"), (r) => r.kinds.some((k) => k.updated > 0), "the change is seen");
    if (!script) await page.reload();
    await page.locator("h1", { hasText: name + "-2" }).waitFor();
    if (script) assert.ok(await page.evaluate(() => window.same), "the page was not loaded again");
    const story = await page.locator(".changes").first().innerText();
    assert.match(story, /Drift/);
    assert.match(story, /\/name/);

    // As it was before.
    await page.locator(".line a", { hasText: "UTC" }).last().click();
    await page.locator("h1", { hasText: name + "-1" }).waitFor();
    assert.equal(await page.getByRole("link", { name: "Take snapshot" }).count(), 0, "the past is not acted on");
    await page.getByRole("link", { name: "See it as it is now" }).click();

    await page.getByRole("link", { name: "Assign", exact: true }).click();
    await form.getByLabel("Tenant").selectOption("alpha");
    await form.getByLabel("Reason").fill("they took it over");
    await form.locator(".actions button").click();
    await page.locator("#flash", { hasText: "It was assigned" }).waitFor();
    await page.getByRole("link", { name: "alpha", exact: true }).click();
    await page.waitForURL(/\/tenants\/alpha$/);
    assert.match(await page.locator("#live").innerText(), new RegExp(name + "-2"));
    const r = await world.ask("GET", `${world.url}/v1/resources/${of}`);
    assert.equal(r.tenant, "alpha");
    assert.equal(r.attribution.rule, "manual");
  });
}

test("several are ticked and assigned by keys alone", async (t) => {
  const page = await visit(t);
  await page.goto("/inventory?q=kind:droplet+tag:tenant:bravo,tenant:alpha");
  await live(page);
  const boxes = page.locator("tbody input[type=checkbox]");
  assert.equal(await boxes.count(), 2);
  for (const box of await boxes.all()) {
    await box.focus();
    await page.keyboard.press("Space");
  }
  const button = page.getByRole("button", { name: "Assign those ticked" });
  await button.focus();
  await page.keyboard.press("Enter");
  const form = page.locator("main #confirm");
  await form.getByLabel("Tenant").selectOption("none");
  await form.getByLabel("Reason").fill("a test");
  await page.keyboard.press("Enter");
  await page.locator("#flash", { hasText: "It was assigned" }).waitFor();
  assert.match(page.url(), /\/inventory\?q=kind/, "and the list is there again");
  for (const name of ["alpha-1", "bravo-1"]) {
    const r = await world.ask("GET", `${world.url}/v1/resources/${await urn(name)}`);
    assert.deepEqual([r.tenant, r.attribution.rule], [null, "manual"]);
  }
});

test("a list is narrowed by its menus, and a wrong word is pointed at", async (t) => {
  const page = await visit(t, { expect: (e) => e.includes("400") });
  await page.goto("/inventory");
  await page.locator(".facet summary", { hasText: "Kind" }).focus();
  await page.keyboard.press("Enter");
  await page.locator(".facet[open]").getByRole("link", { name: "Droplets" }).click();
  await page.waitForURL(/q=kind%3Adroplet/);
  assert.equal(await page.getByLabel("What to look for").inputValue(), "kind:droplet");
  assert.equal(await page.locator("tbody tr").count(), (await world.ask("GET", world.url + "/v1/resources?q=kind:droplet")).total);
  await page.goto("/inventory?q=kind:droplet+colour:red");
  assert.match(await page.locator("[role=alert]").innerText(), /colour:red\n\s+\^+/);
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing on the inventory's pages, ${colorScheme}`, async (t) => {
    const run = await world.sync("volume");
    const finding = (await world.ask("GET", world.url + "/findings.json")).items[0];
    const of = await urn("bravo-1");
    const paths = [
      "/inventory", "/inventory/" + of, "/changes", "/tenants", "/tenants/bravo", "/findings", "/stacks", "/accounts", "/accounts/default", "/syncs/" + run.id, "/", // at both widths
      "/inventory?q=nothing", `/inventory/${of}?hops=2`, `/inventory/assign?urn=${of}`, "/tenants/add", "/tenants/import?from=tags", `/findings/${finding.id}/mute`,
      "/accounts/default/sync",
    ];
    for (const width of [1280, 390]) {
      const page = await visit(t, { colorScheme, viewport: { width, height: 844 } });
      for (const path of width > 500 ? paths : paths.slice(0, 9)) {
        await page.goto(path);
        await axeFinds(page, `${path} at ${width}`);
      }
    }
  });
}
