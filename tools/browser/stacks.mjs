// What a test or a picture does with stacks before it looks at their pages.
import { quick } from "./world.mjs";

// brisk makes the sagas of stacks take about a second or two.
export const brisk = {
  ...quick, "action.snapshot": "300ms", "action.restore": "300ms", "action.power_off": "100ms", "action.power_on": "100ms", "action.shutdown": "100ms", "firewall.apply": "50ms",
  "lag.vpc_members": "50ms", "lag.update": "0s", "lag.status": "0s", "ratelimit.hourly": "1000000", "ratelimit.burst": "100000",
};

// patience is Arcadia's, to match.
export const patience = { ARCADIA_DO_POLL: "150ms", ARCADIA_DO_HORIZON: "600ms", ARCADIA_STACK_GRACE: "0s" };

// hosted is a blueprint with one of everything that a stack is made of.
export const hosted = `
name: hosted
version: 1
description: A droplet that serves at a name of its own, its data on a volume.
parameters:
  region: {type: region, default: nyc3, description: Where it stands}
region: \${param.region}
vpc: {}
volumes:
  data: {size_gib: 50, filesystem: ext4, droplet: web}
droplets:
  web: {size: s-2vcpu-4gb, image: debian-12-x64}
firewalls:
  edge:
    droplets: [web]
    inbound:
      - {protocol: tcp, ports: 22, addresses: [10.0.0.0/8]}
      - {protocol: tcp, ports: 443, addresses: [0.0.0.0/0]}
reserved_ips:
  front: {droplet: web}
dns:
  domain: hosted.example
  records:
    ipv4: {type: A, name: '\${tenant.slug}', data: '\${reserved_ip.front.address}', ttl: 300}
`;

const over = ["completed", "rolled_back", "stuck"];

export class Stacks {
  constructor(world) { this.world = world; }

  tenant(slug) { return this.world.ask("POST", this.world.url + "/v1/tenants", { slug }); }
  plan(order) { return this.world.ask("POST", this.world.url + "/v1/plans", { account: order.stack ? undefined : "default", ...order }); }

  // carryOut applies a plan, and answers the saga that ended.
  async carryOut(plan) {
    const { saga } = await this.world.ask("POST", `${this.world.url}/v1/plans/${plan}/apply`, {});
    return this.world.until(() => this.world.saga(saga.id), (s) => over.includes(s.state), "the saga ends");
  }

  // apply makes a plan and carries it out.
  async apply(order) {
    const plan = await this.plan(order);
    const ended = await this.carryOut(plan.id);
    if (ended.state !== "completed") throw new Error(`${order.verb}: ${JSON.stringify(ended.error)}`);
    return plan;
  }

  // make makes a stack, and answers its id.
  async make(name, tenant, blueprint = "minimal", parameters = { region: "nyc3" }) {
    return (await this.apply({ verb: "provision", blueprint, tenant, name, parameters })).stack;
  }

  // story makes a stack with a backup, a schedule and a restore that was tried out.
  async story(name, tenant) {
    const { id: plan, stack } = await this.apply({ verb: "provision", blueprint: "minimal", tenant, name, parameters: { region: "nyc3" } });
    await this.keep(stack);
    return { id: stack, plan };
  }

  // keep backs a stack up, by schedule too, and tries a restore out.
  async keep(stack) {
    await this.apply({ verb: "backup", stack, options: { keep_days: "30" } });
    await this.world.ask("PUT", `${this.world.url}/v1/stacks/${stack}/backup-schedule`, { cron: "30 3 * * *", zone: "Europe/Berlin", keep: { daily: 7, weekly: 4 } });
    await this.apply({ verb: "drill", stack });
  }
}
