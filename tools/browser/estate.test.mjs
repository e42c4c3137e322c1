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

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing on the pages of what is there, ${colorScheme}`, async (t) => {
    for (const width of [1280, 390]) {
      const page = await visit(t, { colorScheme, viewport: { width, height: 844 } });
      for (const path of ["/cleanup", "/cleanup?all=true", "/cleanup/plan", "/cleanup/keep?urn=do:volume:7"]) {
        await page.goto(path);
        await axeFinds(page, `${path} at ${width}`);
      }
    }
  });
}
