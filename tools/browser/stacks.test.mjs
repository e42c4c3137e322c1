// The pages of stacks in a real browser: planned, made, failed, protected and torn down,
// over the real binary and a simulated DigitalOcean.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { World, axeFinds, launch, visitOf } from "./world.mjs";
import { Stacks, brisk, patience } from "./stacks.mjs";

let browser, world, stacks, kept;
before(async () => {
  [browser, world] = await Promise.all([launch(), World.open({ params: brisk, env: patience })]);
  stacks = new Stacks(world);
  await stacks.tenant("acme");
  kept = stacks.story("kept", "acme"); // while others are looked at
  kept.catch(() => {}); // who awaits it is told
});
after(async () => {
  await browser?.close();
  await world?.close();
});

const visit = (t, options) => visitOf(t, browser, world, options);
const live = (page) => page.locator('[data-pulse="live"]').waitFor();
const outcome = (page, word) => page.locator("section:has(#outcome-title) .badge", { hasText: word }).first().waitFor();

// looks waits until the page shows it by itself; without JavaScript the reader reloads.
async function looks(page, script, word) {
  if (script) return outcome(page, word);
  await world.until(async () => { await page.reload(); return page.locator("section:has(#outcome-title) .badge").first().innerText(); }, (text) => text.includes(word), `the page says ${word}`);
}

// press answers a question: in its dialog with JavaScript, on its page without.
async function press(page, script, link, fill = async () => {}) {
  await page.getByRole("link", { name: link, exact: true }).first().click();
  const form = page.locator(script ? "dialog[open] #confirm" : "main #confirm");
  await form.waitFor();
  await fill(form);
  await form.locator(".actions button").click();
}

for (const script of [true, false]) {
  const name = script ? "edge" : "plain";
  test(`a stack is planned, applied, followed and there, ${script ? "with" : "without"} JavaScript`, async (t) => {
    const page = await visit(t, { javaScriptEnabled: script });
    await page.goto("/stacks");
    await page.getByRole("link", { name: "Plan a stack" }).click();
    await page.getByRole("link", { name: /^minimal@/ }).click();
    const form = page.locator("main #confirm");
    await form.getByLabel("Tenant").selectOption("acme");
    await form.getByLabel("Name of the stack").fill(name);
    await form.getByLabel(/^region/).fill("nyc3");
    if (script) await axeFinds(page, "the form of a new stack");
    await form.locator(".actions button").click();
    await page.waitForURL(/\/plans\/plan_/);
    const planned = await page.locator("#live").innerText();
    assert.match(planned, /Nothing was done yet/);
    assert.match(planned, /POST \/v2\/droplets/);
    assert.equal((await world.truth("droplet")).filter((d) => d.name.startsWith(name)).length, 0, "a plan makes nothing");
    if (script) await axeFinds(page, "a plan");

    await press(page, script, "Make " + name);
    await page.locator("#flash", { hasText: "being carried out" }).waitFor();
    if (script) {
      await live(page);
      await page.evaluate(() => { window.same = true; });
    }
    await looks(page, script, "Completed");
    if (script) {
      assert.ok(await page.evaluate(() => window.same), "the page was not loaded again");
      await axeFinds(page, "a plan that was applied");
    }
    const beside = await page.locator("#step-create_droplets").innerText();
    assert.match(beside, /POST \/v2\/droplets\s+Completed\s+1/, "what was planned stands beside what happened");
    const [droplet] = (await world.truth("droplet")).filter((d) => d.name.startsWith(name));
    assert.match(await page.locator("#live").innerText(), new RegExp(`made, do:droplet:${droplet.id}`));

    await page.goto("/stacks");
    await page.getByRole("link", { name, exact: true }).click();
    await page.locator(".head .badge", { hasText: "Active" }).waitFor();
    await page.locator(`.topology a[href="/inventory/do:droplet:${droplet.id}"]`).waitFor();
    if (script) await axeFinds(page, "a stack");
  });
}

test("a stack that cannot be made is taken back, and the plan says why", async (t) => {
  const { mark } = await world.ask("POST", world.admin + "/marks");
  const page = await visit(t);
  const plan = await stacks.plan({ verb: "provision", blueprint: "minimal", tenant: "acme", name: "doomed", parameters: { region: "nyc3" } });
  const { id } = await world.fault({ match: { method: "POST", path: "/v2/firewalls", nth: 2 }, times: 9, kind: "403_scope" }); // the first is the gate
  t.after(() => world.ask("DELETE", `${world.admin}/faults/${id}`));
  await page.goto("/plans/" + plan.id);
  await live(page);
  await press(page, true, "Make doomed");
  await page.waitForURL(/\/plans\/plan_/);
  await outcome(page, "Rolled back");
  const text = await page.locator("#live").innerText();
  assert.match(text, /as it was before/);
  assert.match(await page.locator("#step-create_firewalls").innerText(), /Compensated|Failed/);
  assert.match(await page.locator("#step-create_droplets").innerText(), /Compensated/);
  assert.ok((await page.locator("section:has(#outcome-title) .refusal").innerText()).length > 20, "it says why");
  await axeFinds(page, "a plan that was taken back");
  const { items } = await world.ask("GET", `${world.admin}/leaks?mark=${mark}`);
  assert.deepEqual(items.map((i) => i.name), []);
});

test("a teardown is refused while the stack is protected, and carried out afterwards", async (t) => {
  const stack = await stacks.make("lasting", "acme");
  const page = await visit(t, { expect: (e) => e.includes("409") });
  await page.goto("/stacks/" + stack);
  await press(page, true, "Tear down", async (form) => {
    await form.getByLabel("Final snapshot").uncheck();
    await form.getByLabel("Quarantine days").fill("0");
  });
  await page.waitForURL(/\/plans\/plan_/);
  const plan = page.url();
  assert.match(await page.locator("#live").innerText(), /lasting-main/);

  // Somebody protects it in the meantime.
  const other = await visit(t);
  await other.goto("/stacks/" + stack);
  await other.locator("summary[aria-label='More actions']").click();
  await press(other, true, "Protect", (form) => form.getByLabel("Reason").fill("a paying customer's"));
  await other.locator("#flash", { hasText: "is protected" }).waitFor();
  assert.equal(await other.getByRole("link", { name: "Tear down" }).count(), 0, "what is protected is not offered to be torn down");
  await axeFinds(other, "a stack that is protected");

  await press(page, true, "Tear down lasting");
  await page.locator("main #confirm [role=alert]").waitFor();
  assert.match(await page.locator("main #confirm [role=alert]").innerText(), /a paying customer's/);
  await axeFinds(page, "a teardown that is refused");
  assert.equal((await world.truth("droplet")).filter((d) => d.name === "lasting-main").length, 1, "nothing was destroyed");

  await press(other, true, "End the protection");
  await other.locator("#flash", { hasText: "protection is over" }).waitFor();
  await page.goto(plan);
  await live(page);
  await press(page, true, "Tear down lasting");
  await outcome(page, "Completed");
  assert.deepEqual((await world.truth("droplet")).filter((d) => d.name === "lasting-main"), []);
  await page.goto("/stacks/" + stack);
  assert.match(await page.locator("#live").innerText(), /It has nothing at DigitalOcean/);
});

test("changes are frozen and freed, and every page says so", async (t) => {
  await kept; // nothing that is under way waits
  t.after(() => fetch(world.url + "/v1/freezes/account:default", { method: "DELETE" }));
  const page = await visit(t);
  await page.goto("/freezes");
  await axeFinds(page, "no freezes");
  await press(page, true, "Freeze changes", async (form) => {
    await form.getByLabel("What is frozen").selectOption("account:default");
    await form.getByLabel("Reason").fill("a strange bill");
  });
  await page.waitForURL(/\/freezes/);
  await axeFinds(page, "a freeze");
  await page.goto("/inventory");
  const banner = page.getByRole("region", { name: "What is frozen" });
  assert.match(await banner.innerText(), /account default[^]*web:local[^]*a strange bill/);
  await axeFinds(page, "a page while changes are frozen");
  await page.setViewportSize({ width: 350, height: 844 });
  await axeFinds(page, "a page while changes are frozen, on a small phone");
  await page.setViewportSize({ width: 1280, height: 844 });
  await banner.getByRole("link", { name: "End the freeze" }).click();
  await page.locator("dialog[open] #confirm .actions button").click();
  await page.locator("#flash", { hasText: "freeze is over" }).waitFor();
  await page.goto("/inventory");
  assert.equal(await banner.count(), 0);
});

test("a process that was started frozen says so, and offers no end", async (t) => {
  const w = await World.open({ params: brisk, env: { ARCADIA_FROZEN: "maintenance until Monday" } });
  const page = await visitOf(t, browser, w, { close: true });
  await page.goto("/");
  const banner = page.getByRole("region", { name: "What is frozen" });
  assert.match(await banner.innerText(), /everything[^]*ARCADIA_FROZEN[^]*maintenance until Monday[^]*started again/);
  assert.equal(await banner.getByRole("link").count(), 0);
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing on the pages of stacks, ${colorScheme}`, async (t) => {
    const stack = await kept;
    for (const width of [1280, 390]) {
      const page = await visit(t, { colorScheme, viewport: { width, height: 844 } });
      const paths = ["/stacks", "/stacks/" + stack.id, "/plans/" + stack.plan, "/backups", "/freezes/new", `/stacks/${stack.id}/plan/restore`, `/stacks/${stack.id}/protect`, "/blueprints", "/blueprints/sky-ai", "/tenants/acme/protect"];
      for (const path of width > 500 ? paths : paths.slice(0, 4)) {
        await page.goto(path);
        await axeFinds(page, `${path} at ${width}`);
      }
      await page.goto("/backups");
      assert.match(await page.locator("#live").innerText(), /kept[^]*Passed/);
    }
  });
}
