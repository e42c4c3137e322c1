// The pages in a real browser, over the real binary and a simulated DigitalOcean.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, test } from "node:test";
import { World, axeFinds, launch, quick, visitOf } from "./world.mjs";

const droplets = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot"].map((n) => ({ name: n + "-1", tags: [n] }));

let browser, world;
before(async () => {
  [browser, world] = await Promise.all([launch(), World.open({ droplets })]);
  await world.sync("droplet");
});
after(async () => {
  await browser?.close();
  await world?.close();
});

const visit = (t, { of = world, ...options } = {}) => visitOf(t, browser, of, { close: of !== world, ...options });

const badge = (page) => page.locator(".head .badge");
const becomes = (page, word) => page.locator(".head .badge", { hasText: word }).waitFor();
const live = (page) => page.locator('[data-pulse="live"]').waitFor();
const sagaOf = (page) => page.waitForURL(/\/sagas\/saga_[0-9a-f]{32}/).then(() => new URL(page.url()).pathname.split("/")[2]);
const slow = () => world.set({ "action.snapshot": "1h" });
const fast = () => world.set({ "action.snapshot": quick["action.snapshot"] });

// press answers a confirmation: in its dialog with JavaScript, on its page without.
async function press(page, script, link, reason) {
  await page.getByRole("link", { name: link, exact: true }).first().click();
  const form = script ? page.locator("dialog[open] #confirm") : page.locator("main #confirm");
  await form.waitFor();
  if (reason) await form.getByLabel("Reason").fill(reason);
  await form.locator(".actions button").click();
}
// look waits, with JavaScript, until the page shows it by itself; without, the
// reader reloads.
async function look(page, script, word) {
  if (script) return becomes(page, word);
  await world.until(async () => { await page.reload(); return badge(page).first().innerText(); }, (text) => text.includes(word), `the page says ${word}`);
}

for (const script of [true, false]) {
  describe(script ? "with JavaScript" : "without JavaScript", () => {
    const options = { javaScriptEnabled: script };

    test("a snapshot is started, seen on its way, and completes", async (t) => {
      const page = await visit(t, options);
      await page.goto("/inventory?q=kind:droplet+alpha");
      await page.getByRole("link", { name: "alpha-1" }).click();
      await press(page, script, "Take snapshot");
      const id = await sagaOf(page);
      assert.match(await page.locator("#flash").innerText(), /snapshot was asked for/i);
      if (script) {
        await live(page);
        await page.evaluate(() => { window.same = true; });
        assert.ok(!page.url().includes("did="), "what was said is said once");
      }
      await look(page, script, "Completed");
      if (script) assert.ok(await page.evaluate(() => window.same), "the page was not loaded again");
      const saga = await world.saga(id);
      assert.equal(saga.state, "completed");
      assert.equal(saga.requested_by, "web:local");
      assert.match(await page.locator("#live").innerText(), new RegExp(saga.data.snapshot_id));
    });

    test("a smoke test is rolled back", async (t) => {
      const page = await visit(t, options);
      await page.goto("/");
      await page.getByRole("link", { name: "Run a smoke test" }).click();
      const form = page.locator(script ? "dialog[open] #confirm" : "main #confirm");
      await form.getByLabel("Droplet").selectOption({ index: 0 });
      await form.locator(".actions button").click();
      const id = await sagaOf(page);
      await look(page, script, "Rolled back");
      const text = await page.locator("#live").innerText();
      assert.match(text, /fails here on purpose/);
      assert.match(text, /Compensated/);
      const { items } = await world.ask("GET", `${world.url}/v1/sagas/${id}/leftovers`);
      assert.deepEqual(items, []);
    });

    test("a saga is paused, resumed and cancelled", async (t) => {
      await slow();
      t.after(fast);
      const page = await visit(t, options);
      const id = (await world.snapshot(script ? "bravo-1" : "charlie-1")).id;
      await world.until(() => world.saga(id), (s) => s.state === "waiting", "it waits");
      await page.goto("/sagas/" + id);
      if (script) await live(page);
      await press(page, script, "Pause", "a look at the disk");
      await sagaOf(page);
      await look(page, script, "Paused");
      assert.equal(await page.getByRole("link", { name: "Pause", exact: true }).count(), 0, "what is paused cannot be paused");
      await press(page, script, "Resume");
      await sagaOf(page);
      await look(page, script, "Waiting");

      // A cancel without a reason goes nowhere: the browser holds the form, and a
      // program that sends it all the same is told why.
      const bare = await page.request.post(`/sagas/${id}/cancel`, { form: { reason: " " } });
      assert.equal(bare.status(), 400);
      assert.match(await bare.text(), /Say why/);
      assert.equal((await world.saga(id)).want, "run");

      await press(page, script, "Cancel and undo", "not needed any more");
      await sagaOf(page);
      await fast();
      await world.until(() => world.saga(id), (s) => s.direction === "undo", "it turns back");
      const events = await world.ask("GET", `${world.url}/v1/sagas/${id}/events`);
      assert.equal(events.items.find((e) => e.type === "cancel").detail.reason, "not needed any more");
      await page.goto(`/sagas/${id}?events=people`);
      assert.match(await page.locator("#live").innerText(), /a look at the disk[^]*not needed any more/);
    });

    test("a form that is sent twice makes one saga", async (t) => {
      const page = await visit(t, options);
      const before = (await world.sagas()).length;
      await page.goto("/inventory?q=kind:droplet+delta");
      await page.getByRole("link", { name: "delta-1" }).click();
      await page.getByRole("link", { name: "Take snapshot" }).click();
      const form = page.locator(script ? "dialog[open] #confirm" : "main #confirm");
      const key = await form.locator("[name=key]").inputValue();
      const path = await form.locator("form").getAttribute("action");
      if (script) await form.locator(".actions button").dblclick();
      else await form.locator(".actions button").click();
      const id = await sagaOf(page);
      await page.reload();
      const again = await page.request.post(path, { form: { key }, maxRedirects: 0 });
      assert.equal(again.status(), 303);
      assert.match(again.headers().location, new RegExp(id));
      assert.equal((await world.sagas()).length, before + 1);
    });
  });
}

for (const script of ["arcadia", "htmx.min", "hx-sse.min"]) {
  test(`a page whose ${script}.js comes late says that it is live`, async (t) => {
    const page = await visit(t);
    await page.route(new RegExp(`${script.replace(".", "\\.")}[^/]*\\.js`), async (route) => {
      const response = await route.fetch();
      await page.waitForTimeout(1500); // in which what does not wait for it has begun
      await route.fulfill({ response });
    });
    await page.goto("/", { waitUntil: "commit" });
    await live(page);
  });
}

test("a page that lost its server catches up when there is one again", async (t) => {
  const w = await World.open({ params: { ...quick, "action.snapshot": "1h" } });
  const page = await visit(t, { of: w, expect: (e) => /htmx:sse:error|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|Failed to load resource|ERR_CONNECTION_RESET/.test(e) });
  const { id } = await w.snapshot("web-1");
  const other = await w.snapshot("web-1");
  await page.goto("/sagas/" + id);
  await live(page);
  await page.evaluate(() => { window.same = true; });
  await w.server.stop("SIGKILL");
  await page.locator('[data-pulse="away"]').waitFor();
  await w.serve();
  await w.ask("POST", `${w.url}/v1/sagas/${id}/pause`, { reason: "while nobody looked" });
  await w.until(() => w.saga(id), (s) => s.state === "paused", "it is paused");
  await becomes(page, "Paused");
  await live(page);
  assert.ok(await page.evaluate(() => window.same), "the page was not loaded again");
  assert.match(await page.locator(".line").innerText(), new RegExp(other.id.slice(-8)));
});

test("a page in a hidden tab rests, and catches up", async (t) => {
  await slow();
  t.after(fast);
  const page = await visit(t);
  const { id } = await world.snapshot("echo-1");
  await world.until(() => world.saga(id), (s) => s.state === "waiting", "it waits");
  await page.goto("/sagas/" + id);
  await live(page);
  const hide = (hidden) => page.evaluate((h) => {
    Object.defineProperty(document, "hidden", { value: h, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await hide(true);
  await page.locator("#pulse", { hasText: "Paused" }).waitFor();
  const reads = [];
  page.on("request", (r) => reads.push(r.url()));
  await world.ask("POST", `${world.url}/v1/sagas/${id}/pause`, {});
  await world.until(() => world.saga(id), (s) => s.state === "paused", "it is paused");
  assert.deepEqual(reads, [], "a hidden page asks for nothing");
  assert.doesNotMatch(await badge(page).first().innerText(), /Paused/);
  await hide(false);
  await becomes(page, "Paused");
  await world.ask("POST", `${world.url}/v1/sagas/${id}/cancel`, {});
  await world.ask("POST", `${world.url}/v1/sagas/${id}/resume`, {}).catch(() => {}); // a cancel has taken its place
});

test("new rows wait until they are asked for; changes of rows show at once; the focus stays", async (t) => {
  await slow();
  t.after(fast);
  const page = await visit(t);
  const first = await world.snapshot("foxtrot-1");
  await world.until(() => world.saga(first.id), (s) => s.state === "waiting", "it waits");
  await page.goto("/sagas");
  await live(page);
  const row = page.locator(`#row-${first.id}`);
  await row.locator(".row-link").focus();
  const second = await world.snapshot("foxtrot-1");
  await page.locator(".newer", { hasText: "1 new" }).waitFor();
  assert.equal(await page.locator(`#row-${second.id}`).count(), 0);
  await world.ask("POST", `${world.url}/v1/sagas/${first.id}/pause`, {});
  await row.locator(".badge", { hasText: "Paused" }).waitFor();
  assert.ok(await row.locator(".row-link").evaluate((e) => e === document.activeElement), "the row keeps the focus");
  await page.getByRole("link", { name: "1 new" }).click();
  await page.locator(`#row-${second.id}`).waitFor();
  for (const s of [second, first]) await world.ask("POST", `${world.url}/v1/sagas/${s.id}/cancel`, {});
});

test("keys reach everything", async (t) => {
  const page = await visit(t);
  await page.goto("/inventory");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("alpha-1");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/inventory\/do:droplet:\d+$/);
  const ask = page.getByRole("link", { name: "Take snapshot" });
  await ask.focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog[open] #confirm").waitFor();
  assert.ok(await page.evaluate(() => document.activeElement.closest("dialog") !== null), "the focus is in the dialog");
  await page.keyboard.press("Escape");
  await page.locator("dialog[open]").waitFor({ state: "detached" }).catch(() => {});
  assert.ok(await ask.evaluate((e) => e === document.activeElement), "and comes back to where it was");
});

test("the colours are switched without JavaScript too", async (t) => {
  const page = await visit(t, { javaScriptEnabled: false });
  await page.goto("/sagas?state=completed");
  await page.getByRole("button", { name: "Dark" }).click();
  assert.match(page.url(), /\/sagas\?state=completed$/);
  assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
});

test("without a token the pages say what to do", async (t) => {
  const w = await World.open({ env: { ARCADIA_DO_TOKEN_PROVISIONING: "" } });
  const page = await visit(t, { of: w });
  await page.goto("/inventory");
  const text = await page.locator("main").innerText();
  assert.match(text, /Read-only/);
  assert.match(text, /arcadia token set provisioning/);
  await page.goto("/");
  assert.match(await page.locator("main").innerText(), /Provisioning token/);
});

// An API that speaks evil: names and errors of DigitalOcean are text of strangers.
test("hostile names and errors stay text", async (t) => {
  const evil = `<img src=x onerror="window.hit=1"><script>window.hit=1</script>"'><svg onload=window.hit=1>`;
  const proxy = createServer(async (req, res) => {
    let body = "";
    for await (const chunk of req) body += chunk;
    if (req.method === "POST") {
      res.writeHead(422, { "Content-Type": "application/json" });
      return res.end(JSON.stringify({ id: evil, message: evil, request_id: evil }));
    }
    const got = await fetch(world.api + req.url, { headers: { Authorization: req.headers.authorization } });
    const text = (await got.text()).replaceAll(/"name":"(alpha|bravo|charlie)-1"/g, (_, n) => `"name":${JSON.stringify(n + evil)}`).replaceAll('"delta"', JSON.stringify(evil));
    res.writeHead(got.status, { "Content-Type": "application/json", "x-request-id": "<b>1</b>" });
    res.end(text);
  });
  await new Promise((r) => proxy.listen(0, "127.0.0.1", r));
  t.after(() => proxy.close());
  const w = await World.open({ api: `http://127.0.0.1:${proxy.address().port}` });
  const page = await visit(t, { of: w, expect: (e) => e.includes("404") });
  await w.sync("droplet");
  await page.goto("/inventory?q=kind:droplet");
  await page.getByText("<script>window.hit=1</script>").locator("visible=true").first().waitFor(); // a closed list of tags has it too
  const { items } = await w.ask("GET", w.url + "/inventory.json?q=kind:droplet");
  const target = items.find((d) => d.name.includes("<script>"));
  for (const path of [`/inventory/${target.urn}`, `/inventory/${target.urn}/snapshot`, "/smoke", "/go?q=" + encodeURIComponent(evil), "/sagas?kind=" + encodeURIComponent(evil), "/" + encodeURIComponent(evil)]) {
    await page.goto(path);
  }
  const { id } = await w.snapshot(target.id);
  await w.until(() => w.saga(id), (s) => s.state === "rolled_back", "it is rolled back");
  for (const path of ["/sagas/" + id, `/sagas/${id}?events=all`, "/sagas", "/"]) {
    await page.goto(path);
    assert.match(await page.locator("main").innerText(), /<script>|<img src=x/, path + " shows the hostile text");
  }
  assert.equal(await page.evaluate(() => window.hit), undefined);
  const csv = await (await page.request.get("/inventory.csv?q=kind:droplet")).text();
  assert.ok(csv.includes("<script>"));
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing, ${colorScheme}`, async (t) => {
    const smoke = (await world.sagas()).find((s) => s.kind === "smoke");
    const open = (await world.sagas()).find((s) => s.kind === "snapshot_droplet");
    const list = await world.ask("GET", world.url + "/inventory.json?q=kind:droplet");
    const paths = ["/", "/inventory", "/inventory/" + list.items[0].urn, "/sagas", "/sagas?state=stuck", "/sagas/" + smoke.id, "/sagas/" + open.id + "?events=all", `/inventory/${list.items[0].urn}/snapshot`, "/smoke", "/nowhere"];
    for (const width of [1280, 390]) {
      const page = await visit(t, { colorScheme, viewport: { width, height: 844 }, expect: (e) => e.includes("404") });
      for (const path of width > 500 ? paths : paths.slice(0, 7)) {
        await page.goto(path);
        await axeFinds(page, `${path} at ${width}`);
      }
    }
  });
}
