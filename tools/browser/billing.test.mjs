// The pages about money in a real browser, over the real binary: what comes next, the
// invoice that is issued of it, its payment, and usage as a plot and as a table.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { chargeForResources, openBooks, subscribe } from "./books.mjs";
import { World, axeFinds, launch, visitOf } from "./world.mjs";

let browser, world, subscriptions;
before(async () => {
  // Nothing is issued on the clock, so that a test that goes past the hour finds the same.
  [browser, world] = await Promise.all([launch(), World.open({ env: { ARCADIA_BILLING: "draft" } })]);
  for (const slug of ["alpha", "bravo", "idle"]) await world.ask("POST", world.url + "/v1/tenants", { slug });
  subscriptions = await openBooks(world, "alpha", "bravo");
});
after(async () => {
  await browser?.close();
  await world?.close();
});

const visit = (t, options) => visitOf(t, browser, world, options);

// issued is the first invoice in advance that a run issues, once runs, which stay a
// minute behind the clock, know of the subscription.
async function issued() {
  for (const from = Date.now(); Date.now() - from < 120000; await pause(500)) {
    const run = await world.ask("POST", world.url + "/v1/billing-runs", { tenant: "alpha" });
    const first = run.issued.find((i) => i.purpose === "advance");
    if (first) return first;
  }
  throw new Error("no run issued anything");
}

// looks has axe look at pages, in both schemes, for a desk and a phone.
async function looks(t, ...paths) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 390]) {
      const page = await visit(t, { colorScheme, viewport: { width, height: 900 } });
      for (const path of paths) {
        await page.goto(path);
        if (path === "/usage") await page.locator(".course canvas").waitFor();
        await axeFinds(page, `${path} at ${width} px, ${colorScheme}`);
      }
    }
  }
}

test("usage is drawn, and stands in the table too", async (t) => {
  const page = await visit(t);
  await page.goto("/usage?span=7d&by=day");
  await page.locator(".course canvas").waitFor();
  const box = await page.locator(".course canvas").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.locator("[data-reading]", { hasText: "sum of n" }).waitFor();
  const total = await page.locator(".figures").innerText();
  const rows = await page.locator('table:has(caption:text("the last part first")) tbody td:nth-child(2)').allInnerTexts();
  const number = (text) => Number(text.replaceAll(/\D/g, ""));
  assert.equal(rows.length, 7);
  assert.ok(rows.reduce((sum, r) => sum + number(r), 0) > 0 && total.replaceAll("\u202f", "").includes(String(rows.reduce((sum, r) => sum + number(r), 0))), `${rows} adds up to what is said: ${total}`);
  assert.match(await page.locator("#live").innerText(), /mail\.sent/);
  const still = await visit(t, { javaScriptEnabled: false });
  await still.goto("/usage?span=7d&by=day");
  assert.deepEqual(await still.locator('table:has(caption:text("the last part first")) tbody td:nth-child(2)').allInnerTexts(), rows);
});

test("axe finds nothing on any page", (t) => looks(t, "/billing", "/invoices", "/subscriptions", `/subscriptions/${subscriptions[0].id}`, "/usage",
  "/usage?span=24h&tenant=idle", "/catalog", "/tenants/alpha/billing", "/tenants/idle/billing"));

test("what comes next is issued, is open, and is paid", async (t) => {
  const page = await visit(t, { javaScriptEnabled: false });
  await page.goto("/tenants/alpha");
  await page.getByRole("link", { name: "Billing", exact: true }).last().click();
  await page.waitForURL(/\/tenants\/alpha\/billing/);
  assert.match(await page.locator("#live").innerText(), /Invoice in advance[\s\S]*Nothing was issued to it yet/);
  await page.goto("/invoices");
  assert.match(await page.locator("#live").innerText(), /No invoice was issued yet/);

  const first = await issued();
  await page.goto("/invoices?state=open");
  await page.getByRole("link", { name: first.number, exact: true }).click();
  assert.match(await page.locator(".head").innerText(), /Open/);
  assert.match(await page.locator("#live").innerText(), /Nothing of it was paid yet/);

  await world.ask("POST", world.url + "/v1/payments", { currency: "EUR", amount: first.due, invoices: [first.number] });
  await page.reload();
  assert.match(await page.locator(".head").innerText(), /Paid/);
  const text = await page.locator("#live").innerText();
  assert.match(text, new RegExp(`What settled it[^]*${first.due / 100}`));
  assert.match(text, /Cash clearing/);
  await page.goto("/invoices?state=paid&currency=EUR");
  assert.ok(await page.getByRole("link", { name: first.number, exact: true }).count(), "it is among those that are paid");
  await page.getByLabel("Number or tenant").fill("alpha");
  await page.keyboard.press("Enter");
  await page.waitForURL(/tenant=alpha/);
  // What a document says of itself stands in one column, however long a word is.
  const paper = await visit(t);
  await paper.goto(`/invoices/${first.number}`);
  const columns = await paper.locator(".paper-facts").first().evaluate((facts) => {
    facts.querySelector("dt").textContent = "Rechnungsdatum der Leistung";
    return [...facts.querySelectorAll("dd")].map((dd) => dd.getBoundingClientRect().left);
  });
  assert.ok(columns.length > 2 && new Set(columns).size === 1, `they begin at ${columns}`);
  await looks(t, "/billing", "/invoices", "/invoices?state=void", `/invoices/${first.number}`, "/tenants/alpha/billing");
});

test("a plan says what comes onto the tenant's invoice", async (t) => {
  const post = (path, body) => world.ask("POST", world.url + path, body);
  for (const slug of ["served", "guest"]) await post("/v1/tenants", { slug });
  await post("/v1/exchange-rates", { pair: "USD/EUR", from: "2026-01-01", rate: "0.9" });
  await chargeForResources(world);
  await subscribe(world, "served", "hosting@1");
  const plan = async (tenant) => (await post("/v1/plans", { verb: "provision", account: "default", blueprint: "minimal", tenant, name: "edge", parameters: { region: "nyc3" } })).id;
  const [charged, free] = [await plan("served"), await plan("guest")];
  const page = await visit(t);
  const quote = page.locator("section:has(#quote-title)");
  await page.goto("/plans/" + charged);
  const cells = (await quote.locator("tbody tr td.number").allInnerTexts()).map((text) => text.replaceAll(/[^0-9.+-]/g, ""));
  assert.deepEqual(cells, ["0.00", "8.10", "8.10"], "a droplet of 6 dollars, times 1.5, in euros");
  assert.match(await quote.innerText(), /Dollars count at the rate of USD\/EUR from 2026-01-01, 0\.9/);
  await quote.getByRole("link", { name: "hosting@1" }).click();
  await page.waitForURL(/\/subscriptions\//);
  await page.goto("/plans/" + free);
  assert.match(await quote.innerText(), /Nothing changes on an invoice: the tenant has no subscription/);
  await looks(t, "/plans/" + charged);
});
