// What there is at DigitalOcean already, in a real browser: cleaned up where nobody has it,
// and made a stack of, over the real binary and a simulated DigitalOcean.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { World, axeFinds, launch, visitOf } from "./world.mjs";
import { Stacks, brisk, patience } from "./stacks.mjs";

let browser, world, stacks;
before(async () => {
  [browser, world] = await Promise.all([launch(), World.open({ params: brisk, env: patience })]);
  stacks = new Stacks(world);
  await stacks.tenant("acme");
});
after(async () => {
  await browser?.close();
  await world?.close();
});

const visit = (t, options) => visitOf(t, browser, world, options);

// ask answers a question of a link: in its dialog with JavaScript, on its page without.
async function ask(page, script, link, fill = async () => {}) {
  await link.click();
  const form = page.locator(script ? "dialog[open] #confirm" : "main #confirm");
  await form.waitFor();
  await fill(form);
  await form.locator(".actions button").click();
}

// looks waits until the page says so: by itself, or for a reader who reloads.
async function looks(page, script, words) {
  if (script) return page.locator("#live", { hasText: words }).waitFor();
  await world.until(async () => { await page.reload(); return page.locator("#live").innerText(); }, (text) => words.test(text), `the page says ${words}`);
}

const volume = (name) => world.ask("POST", world.api + "/v2/volumes", { name, region: "nyc3", size_gigabytes: 10 }).then((a) => a.volume.id);

for (const script of [true, false]) {
  const suffix = script ? "live" : "plain";
  test(`what nobody has is planned, marked, kept or deleted, ${script ? "with" : "without"} JavaScript`, async (t) => {
    const [old, dear] = [await volume("old-" + suffix), await volume("dear-" + suffix)];
    await world.sync();
    const page = await visit(t, { javaScriptEnabled: script });
    await page.goto("/cleanup");
    if (script) await axeFinds(page, "no marks");
    await ask(page, script, page.getByRole("link", { name: "Plan a clean-up" }), async (form) => {
      await form.getByLabel("Wait").fill("6s");
      if (script) await axeFinds(page, "the form of a clean-up");
    });
    await page.waitForURL(/\/plans\/plan_/);
    assert.match(await page.locator("#live").innerText(), new RegExp(`old-${suffix}[^]*No droplet uses this volume`));
    if (script) await axeFinds(page, "the plan of a clean-up");
    await ask(page, script, page.getByRole("link", { name: "Clean up default" }));
    await page.locator("#flash", { hasText: "being carried out" }).waitFor();

    await page.goto("/cleanup");
    if (script) await page.locator('[data-pulse="live"]').waitFor();
    assert.match(await page.locator("#live").innerText(), new RegExp(`dear-${suffix}[^]*Attached to nothing`));
    if (script) await axeFinds(page, "marks");
    const row = page.getByRole("row", { name: new RegExp("dear-" + suffix) });
    await ask(page, script, row.getByRole("link", { name: "Keep it" }), (form) => form.getByLabel("Reason").fill("Ann's"));
    await page.locator("#flash", { hasText: "It is kept." }).waitFor();
    if (script) await page.locator('[data-pulse="live"]').waitFor();
    await looks(page, script, /Nothing is marked/);
    const there = (await world.truth("volume")).map((v) => v.id);
    assert.ok(!there.includes(old), "what nobody used is deleted");
    assert.ok(there.includes(dear), "what is kept is there");
    await page.getByRole("link", { name: "Also spared and deleted" }).click();
    await page.waitForURL(/all=true/);
    assert.match(await page.locator("#live").innerText(), /web:local has it kept: Ann's/);
    if (script) await axeFinds(page, "marks that have ended");
    await ask(page, script, page.getByRole("link", { name: "Keep it no more" }).first());
    await page.locator("#flash", { hasText: "not kept any more" }).waitFor();
    await page.locator("#live", { hasText: "Nothing is kept by hand" }).waitFor();
    await world.ask("DELETE", `${world.api}/v2/volumes/${dear}`);
  });
}

const solo = (name) => `
name: ${name}
version: 1
region: nyc3
droplets:
  web: {size: s-1vcpu-1gb, image: ubuntu-24-04-x64}
`;

for (const script of [true, false]) {
  const name = script ? "taken" : "grasped";
  test(`what exists is searched, adopted and released, ${script ? "with" : "without"} JavaScript`, async (t) => {
    await world.ask("POST", world.url + "/v1/blueprints", { name: name + ".yaml", source: solo(name) });
    const { droplet } = await world.droplet({ name: "hand-made-" + name });
    await world.droplet({ name: "other-" + name });
    await world.sync();
    const page = await visit(t, { javaScriptEnabled: script });
    await page.goto("/stacks");
    await page.getByRole("link", { name: "Adopt what exists" }).click();
    await page.getByRole("link", { name: name + "@1" }).click();
    const form = page.locator("main #confirm");
    await form.getByLabel("Tenant").selectOption("acme");
    await form.getByLabel("Name of the stack").fill(name);
    await form.getByLabel("Search the account").fill("hand-made-" + name);
    if (script) await axeFinds(page, "the form of an adoption");
    await form.getByRole("button", { name: "Search" }).click();
    await page.waitForURL(/q=hand-made/);
    assert.equal(await form.getByLabel("Name of the stack").inputValue(), name, "what was given stays");
    const field = form.getByLabel("droplet.web");
    assert.equal(await field.locator("option").count(), 2, "what the search finds, and to have it found");
    await field.selectOption("do:droplet:" + droplet.id);
    await form.locator(".actions button").click();
    await page.waitForURL(/\/plans\/plan_/);
    assert.match(await page.locator("#live").innerText(), new RegExp(`hand-made-${name}[^]*gets two tags`));
    if (script) await axeFinds(page, "the plan of an adoption");
    await ask(page, script, page.getByRole("link", { name: "Adopt " + name }));
    await page.locator("#flash", { hasText: "being carried out" }).waitFor();
    await looks(page, script, /Completed/);

    await page.goto("/stacks");
    await page.getByRole("link", { name, exact: true }).click();
    await page.locator(".head .badge", { hasText: "Active" }).waitFor();
    await page.locator("summary[aria-label='More actions']").click();
    await ask(page, script, page.getByRole("link", { name: "Release", exact: true }));
    await page.waitForURL(/\/plans\/plan_/);
    await ask(page, script, page.getByRole("link", { name: "Release " + name }));
    await page.locator("#flash", { hasText: "being carried out" }).waitFor();
    await looks(page, script, /Completed/);
    const [there] = (await world.truth("droplet")).filter((d) => d.id === String(droplet.id));
    assert.equal(there.name, "hand-made-" + name, "it is there as it was");
  });
}

test("drift is shown, ignored until a day, heard of again, and repaired", async (t) => {
  const stack = await stacks.make("drifting", "acme");
  // known lists all until nothing of the stack's drift is unknown: what a list shows
  // directly after a change may be from before it.
  const known = () => world.until(async () => { await world.sync(); return world.ask("GET", `${world.url}/v1/stacks/${stack}/drift`); }, (d) => d.unknown.length === 0, "its drift is known");
  const [wall] = (await world.truth("firewall")).filter((f) => f.name.startsWith("drifting"));
  const { firewall } = await world.ask("GET", `${world.api}/v2/firewalls/${wall.id}`);
  const open = { protocol: "tcp", ports: "3306", sources: { addresses: ["0.0.0.0/0"] } };
  await world.ask("PUT", `${world.api}/v2/firewalls/${wall.id}`, { ...firewall, inbound_rules: [...firewall.inbound_rules, open] });
  await known();
  const page = await visit(t);
  await page.goto("/stacks/" + stack);
  const panel = page.locator("#drift");
  await page.locator('[data-pulse="live"]').waitFor();
  assert.match(await panel.innerText(), /1 to be heard[^]*firewall\.edge[^]*3306/);
  await axeFinds(page, "a stack that drifts");
  await page.goto("/stacks");
  assert.match(await page.getByRole("row", { name: /drifting/ }).innerText(), /\b1\b/);

  await page.goto("/stacks/" + stack);
  await ask(page, true, panel.getByRole("link", { name: "Ignore", exact: true }), (form) => form.getByLabel("Reason").fill("a migration"));
  await panel.getByText("a migration").waitFor();
  assert.match(await panel.innerText(), /0 to be heard/);
  assert.equal(await panel.getByRole("link", { name: "Plan a repair" }).count(), 0, "what is ignored is not repaired");
  await axeFinds(page, "a stack whose drift is ignored");
  await ask(page, true, panel.getByRole("link", { name: "Hear of it", exact: true }));
  await panel.getByText("1 to be heard").waitFor();

  await ask(page, true, panel.getByRole("link", { name: "Plan a repair" }));
  await page.waitForURL(/\/plans\/plan_/);
  await page.locator('[data-pulse="live"]').waitFor();
  await ask(page, true, page.getByRole("link", { name: "Repair the drift of drifting" }));
  await looks(page, true, /Completed/);
  const after = await world.ask("GET", `${world.api}/v2/firewalls/${wall.id}`);
  assert.deepEqual(after.firewall.inbound_rules.map((r) => r.ports), ["22"], "the rule is gone");
  await known();
  await page.goto("/stacks/" + stack);
  await panel.getByText("Everything is as it is expected").waitFor();
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing on the pages of what is there, ${colorScheme}`, async (t) => {
    for (const width of [1280, 390]) {
      const page = await visit(t, { colorScheme, viewport: { width, height: 844 } });
      for (const path of ["/cleanup", "/cleanup?all=true", "/cleanup/plan", "/cleanup/keep?urn=do:volume:7", "/stacks/adopt", "/stacks/adopt?blueprint=sky-ai"]) {
        await page.goto(path);
        await axeFinds(page, `${path} at ${width}`);
      }
    }
  });
}
