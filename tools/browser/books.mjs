// The books of a world: a catalog, an issuer, customers with subscriptions of two months
// ago, meters and usage, by the API that everybody has.
const monthsAgo = (n) => {
  const d = new Date();
  return new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() - n, 1)).toISOString().slice(0, 10);
};

const catalog = {
  currency: "EUR",
  meters: [{ id: "requests", event_type: "api.request", aggregate: "sum", value: "n" }],
  taxes: [{ id: "vat", rate: "19" }],
  plans: [{
    id: "team", version: 1, period: { unit: "month" },
    charges: [{ id: "fee", type: "recurring", price: "79.00" }, { id: "requests", type: "usage", meter: "requests", price: "0.01" }],
  }],
};

// chargeForResources adds a plan that does, hosting@1.
export const chargeForResources = (w) => w.ask("POST", w.url + "/v1/catalogs", {
  name: "hosting.json", document: JSON.stringify({
    ...catalog, meters: [...catalog.meters, { id: "droplets", event_type: "droplet" }],
    plans: [...catalog.plans, { id: "hosting", version: 1, period: { unit: "month" }, charges: [{ id: "servers", type: "resource", model: "cost_plus", meter: "droplets", markup: "1.5" }] }],
  }),
});

const address = { lines: ["Hauptstr. 1"], postal_code: "10115", city: "Berlin", region: "", country: "DE" };

// subscribe makes a tenant a customer, and answers its subscription.
export async function subscribe(w, tenant, plan, from = monthsAgo(0)) {
  await w.ask("PUT", `${w.url}/v1/customers/${tenant}`, {
    issuer: "main", currency: "EUR", zone: "UTC", legal_name: `${tenant} GmbH`, email: "", address, tax_ids: [], taxes: ["vat"], terms_days: 14, po_number: "", language: "en",
  });
  return (await w.ask("POST", w.url + "/v1/subscriptions", { tenant, plan, from })).subscription;
}

// openBooks makes each tenant a customer. What is due is not issued yet.
export async function openBooks(w, ...slugs) {
  const post = (path, body) => w.ask("POST", w.url + path, body);
  await post("/v1/catalogs", { name: "catalog.json", document: JSON.stringify(catalog) });
  await post("/v1/meters", { name: "catalog.json", document: JSON.stringify(catalog) });
  await w.ask("PUT", w.url + "/v1/issuers/main", {
    legal_name: "Host GmbH", address, tax_ids: [], bank: { holder: "", iban: "DE89370400440532013000", bic: "", name: "" }, footer: "", series: "R-", credit_series: "G-",
  });
  const subscriptions = [];
  for (const slug of slugs) subscriptions.push(await subscribe(w, slug, "team@1", monthsAgo(2)));
  const events = [];
  for (let day = 1; day < 40; day++) {
    for (const subject of slugs) {
      const time = new Date(Date.now() - day * 86400000).toISOString();
      events.push({ specversion: "1.0", id: `${subject}-${day}`, source: "gateway", type: day % 13 ? "api.request" : "mail.sent", subject, time, data: { n: 100 + ((day * 37) % 90) } });
    }
  }
  await post("/v1/usage", events);
  return subscriptions;
}
