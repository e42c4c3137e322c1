// Drives a simulated DigitalOcean with DigitalOcean's own TypeScript client, as it
// comes from npm, over plain HTTP. It never waits: where a client would, it has the
// cloud's clock advance.
//
// usage: node dots.mjs API-URL ADMIN-URL TOKEN

import assert from 'node:assert/strict'
import { createDigitalOceanClient, DigitalOceanApiKeyAuthenticationProvider } from '@digitalocean/dots'
import { FetchRequestAdapter } from '@microsoft/kiota-http-fetchlibrary'

const [api, admin, token] = process.argv.slice(2)
const adapter = new FetchRequestAdapter(new DigitalOceanApiKeyAuthenticationProvider(token))
adapter.baseUrl = api
const { v2 } = createDigitalOceanClient(adapter)

const publicKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPfo2BhL0jHXk1F1bBqaTJZRWeTIQzMIdRvZ6FRBxl5c ops'

// pass advances the cloud's clock; a minute is longer than every lag.
async function pass(seconds = 60) {
  const answer = await fetch(admin + '/clock/advance', { method: 'POST', body: JSON.stringify({ seconds }) })
  assert.equal(answer.status, 200)
}

// ended polls an action, as clients do, until it has ended well.
async function ended(action) {
  assert.equal(action.status, 'in-progress')
  for (let n = 0; n < 60; n++) {
    const { action: now } = await v2.actions.byAction_id(action.id).get()
    if (now.status !== 'in-progress') {
      assert.equal(now.status, 'completed')
      assert.ok(now.completedAt instanceof Date)
      return
    }
    await pass(5)
  }
  assert.fail(`action ${action.id} does not end`)
}

// refused is for what must not succeed: the client throws the error that it reads.
const refused = (status, id, promise) => assert.rejects(promise, e => {
  assert.deepEqual({ status: e.responseStatusCode, id: e.id }, { status, id })
  assert.ok(e.requestId && e.messageEscaped)
  return true
})

const names = all => all.map(one => one.name)
const plain = (name, more) => ({ name, region: 'nyc3', size: 's-1vcpu-1gb', image: 'ubuntu-24-04-x64', ...more })

async function droplet(name, more) {
  const made = await v2.droplets.post(plain(name, more))
  assert.equal(made.droplet.status, 'new')
  const create = made.links.actions.find(a => a.rel === 'create')
  await ended((await v2.actions.byAction_id(create.id).get()).action)
  await pass()
  const { droplet } = await v2.droplets.byDroplet_id(made.droplet.id).get()
  assert.equal(droplet.status, 'active')
  return droplet
}

const chapters = {
  async 'the account and its catalogue'() {
    const { account } = await v2.account.get()
    assert.equal(account.status, 'active')
    assert.ok(account.uuid && account.emailVerified && account.dropletLimit > 0)
    const { regions } = await v2.regions.get({ queryParameters: { perPage: 200 } })
    assert.ok(regions.find(r => r.slug === 'nyc3').sizes.includes('s-1vcpu-1gb'))
    const { images } = await v2.images.get({ queryParameters: { type: 'distribution', perPage: 200 } })
    assert.ok(images.some(i => i.slug === 'ubuntu-24-04-x64' && i.distribution === 'Ubuntu' && i.createdAt instanceof Date))
    const { image } = await v2.images.byImage_id('debian-12-x64').get()
    assert.equal(image.slug, 'debian-12-x64')

    // Every page once, as the links lead from one to the next.
    const { sizes, meta } = await v2.sizes.get({ queryParameters: { perPage: 200 } })
    assert.equal(sizes.length, meta.total)
    const slugs = []
    for (let page = 1, more = true; more; page++) {
      const some = await v2.sizes.get({ queryParameters: { page, perPage: 5 } })
      slugs.push(...some.sizes.map(s => s.slug))
      const next = some.links.pages.next ?? some.links.pages.additionalData?.next
      more = next !== undefined
      if (more) assert.equal(new URL(next).searchParams.get('page'), String(page + 1))
    }
    assert.deepEqual(slugs, sizes.map(s => s.slug))
  },

  async 'keys and tags'() {
    const { sshKey } = await v2.account.keys.post({ name: 'ops', publicKey })
    await refused(422, 'unprocessable_entity', v2.account.keys.post({ name: 'ops', publicKey }))
    await pass()
    assert.deepEqual((await v2.account.keys.get()).sshKeys, [sshKey])
    assert.equal((await v2.account.keys.bySsh_key_identifier(String(sshKey.id)).put({ name: 'operators' })).sshKey.name, 'operators')
    await v2.account.keys.bySsh_key_identifier(sshKey.fingerprint).delete()
    await refused(404, 'not_found', v2.account.keys.bySsh_key_identifier(String(sshKey.id)).get())
    assert.equal((await v2.tags.post({ name: 'web' })).tag.resources.count, 0)
    await pass()
    assert.deepEqual(names((await v2.tags.get()).tags), ['web'])
  },

  async 'a droplet and its actions'() {
    const one = await droplet('web-1', { tags: ['web'], ipv6: true, monitoring: true, backups: true })
    assert.deepEqual([one.name, one.memory, one.vcpus, one.disk, one.tags], ['web-1', 1024, 1, 25, ['web']])
    assert.ok(['backups', 'ipv6', 'monitoring'].every(f => one.features.includes(f)))
    assert.ok(one.networks.v4.some(n => n.type === 'public' && n.ipAddress))
    assert.ok(one.networks.v6.length === 1 && one.vpcUuid)
    assert.ok(one.nextBackupWindow.start instanceof Date)
    const it = v2.droplets.byDroplet_id(one.id)
    const act = async body => ended((await it.actions.post(body)).action)
    const now = async () => (await it.get()).droplet
    await act({ type: 'power_off' })
    assert.equal((await now()).status, 'off')
    await act({ type: 'resize', size: 's-1vcpu-2gb', disk: true })
    assert.deepEqual([(await now()).sizeSlug, (await now()).disk], ['s-1vcpu-2gb', 50])
    const { action } = await it.actions.post({ type: 'power_on' })
    await refused(422, 'unprocessable_entity', it.actions.post({ type: 'reboot' }))
    await ended(action)
    await act({ type: 'rename', name: 'web-one' })
    assert.equal((await now()).name, 'web-one')
    await act({ type: 'disable_backups' })
    await act({ type: 'snapshot', name: 'before-upgrade' })
    await pass()
    const { snapshots } = await it.snapshots.get()
    assert.deepEqual(names(snapshots), ['before-upgrade'])
    assert.deepEqual((await now()).snapshotIds, [snapshots[0].id])
    // By its id: the client writes a slug without its quotes, which is no JSON.
    await act({ type: 'rebuild', image: (await v2.images.byImage_id('debian-12-x64').get()).image.id })
    assert.equal((await now()).image.slug, 'debian-12-x64')
    await act({ type: 'restore', image: snapshots[0].id })
    assert.equal((await it.actions.get({ queryParameters: { perPage: 200 } })).actions.length, 9)
    await it.delete()
    await refused(404, 'not_found', it.get())
    const listed = (await v2.snapshots.get({ queryParameters: { resourceType: 'droplet' } })).snapshots
    assert.deepEqual(listed.map(s => [s.name, s.resourceId, s.resourceType]), [['before-upgrade', String(one.id), 'droplet']])
    await v2.snapshots.bySnapshot_id(snapshots[0].id).delete()
  },

  async 'several droplets'() {
    const made = await v2.droplets.post({ names: ['app-1', 'app-2', 'app-3'], region: 'nyc3', size: 's-1vcpu-1gb', image: 'ubuntu-24-04-x64', tags: ['app'] })
    assert.deepEqual(names(made.droplets), ['app-1', 'app-2', 'app-3'])
    assert.equal(made.links.actions.length, 3)
    await pass()
    await pass()
    const first = await v2.droplets.get({ queryParameters: { tagName: 'app', perPage: 2 } })
    assert.deepEqual([first.droplets.length, first.meta.total], [2, 3])
    assert.deepEqual(names((await v2.droplets.get({ queryParameters: { name: 'app-2' } })).droplets), ['app-2'])
    await v2.tags.byTag_id('web').resources.post({ resources: [{ resourceId: String(made.droplets[0].id), resourceType: 'droplet' }] })
    await pass()
    assert.equal((await v2.tags.byTag_id('web').get()).tag.resources.droplets.count, 1)
    await v2.droplets.delete({ queryParameters: { tagName: 'app' } })
    await pass()
    assert.deepEqual((await v2.droplets.get()).droplets, [])
  },

  async 'volumes'() {
    const one = await droplet('store')
    const body = { name: 'data', description: 'what matters', region: 'nyc3', sizeGigabytes: 10, filesystemType: 'ext4', filesystemLabel: 'data', tags: ['web'] }
    const { volume } = await v2.volumes.post(body)
    await refused(409, 'conflict', v2.volumes.post(body))
    await pass()
    const it = v2.volumes.byVolume_id(volume.id)
    assert.deepEqual((await it.get()).volume, volume)
    assert.deepEqual({ ...volume, region: volume.region.slug, id: 0, createdAt: 0, dropletIds: 0 }, { ...body, id: 0, createdAt: 0, dropletIds: 0 })
    const act = async body => ended((await it.actions.post(body)).action)
    await act({ type: 'attach', dropletId: one.id })
    assert.deepEqual((await it.get()).volume.dropletIds, [one.id])
    await refused(409, 'conflict', it.delete())
    await act({ type: 'resize', sizeGigabytes: 20 })
    assert.equal((await it.get()).volume.sizeGigabytes, 20)
    const { snapshot } = await it.snapshots.post({ name: 'data-1' })
    await pass()
    assert.deepEqual(names((await it.snapshots.get()).snapshots), ['data-1'])
    assert.equal((await v2.volumes.snapshots.bySnapshot_id(snapshot.id).get()).snapshot.minDiskSize, 20)
    await act({ type: 'detach', dropletId: one.id })
    await v2.volumes.snapshots.bySnapshot_id(snapshot.id).delete()
    await it.delete()
    await pass()
    assert.deepEqual((await v2.volumes.get()).volumes, [])
    await v2.droplets.byDroplet_id(one.id).delete()
  },

  async 'reserved IPs'() {
    const one = await droplet('front')
    const { reservedIp } = await v2.reserved_ips.post({ region: 'nyc3' })
    await pass()
    const it = v2.reserved_ips.byReserved_ip(reservedIp.ip)
    await ended((await it.actions.post({ type: 'assign', dropletId: one.id })).action)
    assert.equal((await it.get()).reservedIp.droplet.id, one.id)
    await ended((await it.actions.post({ type: 'unassign' })).action)
    assert.deepEqual((await v2.reserved_ips.get()).reservedIps.map(r => r.ip), [reservedIp.ip])
    await it.delete()
    await refused(404, 'not_found', it.get())
    await v2.droplets.byDroplet_id(one.id).delete()
  },

  async 'VPCs and firewalls'() {
    const { vpc } = await v2.vpcs.post({ name: 'inside', region: 'nyc3', description: 'ours', ipRange: '10.99.0.0/24' })
    await pass()
    const network = v2.vpcs.byVpc_id(vpc.id)
    assert.deepEqual((await network.get()).vpc, vpc)
    assert.equal((await network.patch({ name: 'within' })).vpc.name, 'within')
    const one = await droplet('member', { vpcUuid: vpc.id, tags: ['web'] })
    assert.equal(one.vpcUuid, vpc.id)
    assert.deepEqual(names((await network.members.get()).members), ['member'])
    await refused(409, 'conflict', network.delete())

    const inbound = [{ protocol: 'tcp', ports: '443', sources: { addresses: ['0.0.0.0/0', '::/0'] } }]
    const outbound = [{ protocol: 'tcp', ports: '0', destinations: { addresses: ['0.0.0.0/0'] } }]
    const { firewall } = await v2.firewalls.post({ name: 'web', inboundRules: inbound, outboundRules: outbound, tags: ['web'] })
    await pass()
    const wall = v2.firewalls.byFirewall_id(firewall.id)
    const ssh = [{ protocol: 'tcp', ports: '22', sources: { dropletIds: [one.id] } }]
    await wall.rules.post({ inboundRules: ssh })
    await pass()
    const now = (await wall.get()).firewall
    assert.deepEqual([now.status, now.tags, now.inboundRules, now.outboundRules], ['succeeded', ['web'], [...inbound, ...ssh], outbound])
    await wall.rules.delete({ inboundRules: ssh })
    assert.deepEqual((await wall.get()).firewall.inboundRules, inbound)
    await wall.delete()
    await v2.droplets.byDroplet_id(one.id).delete()
    await pass()
    await network.delete()
  },

  async 'domains'() {
    await v2.domains.post({ name: 'example.com' })
    await pass()
    const zone = v2.domains.byDomain_name('example.com')
    assert.equal((await zone.get()).domain.ttl, 1800)
    const { domainRecord } = await zone.records.post({ type: 'A', name: 'www', data: '192.0.2.1', ttl: 600 })
    await zone.records.post({ type: 'MX', name: '@', data: 'mail.example.com.', priority: 10 })
    await pass()
    const record = zone.records.byDomain_record_id(domainRecord.id)
    assert.deepEqual((await record.get()).domainRecord, domainRecord)
    assert.equal((await record.patch({ type: 'A', data: '192.0.2.2' })).domainRecord.data, '192.0.2.2')
    const mx = (await zone.records.get({ queryParameters: { type: 'MX' } })).domainRecords
    assert.deepEqual(mx.map(r => [r.name, r.data, r.priority]), [['@', 'mail.example.com', 10]])
    await record.delete()
    await zone.delete()
    await refused(404, 'not_found', zone.get())
  },

  async 'projects'() {
    const { project } = await v2.projects.post({ name: 'shop', purpose: 'Web Application', environment: 'Staging', description: 'what sells' })
    await pass()
    const it = v2.projects.byProject_id(project.id)
    assert.equal((await it.patch({ environment: 'Production' })).project.environment, 'Production')
    const { volume } = await v2.volumes.post({ name: 'of-shop', region: 'nyc3', sizeGigabytes: 1 })
    await pass()
    const urn = 'do:volume:' + volume.id
    assert.deepEqual((await it.resources.post({ resources: [urn] })).resources.map(r => [r.urn, r.status]), [[urn, 'assigned']])
    await pass()
    assert.deepEqual((await it.resources.get()).resources.map(r => r.urn), [urn])
    await refused(412, 'precondition_failed', it.delete())
    await v2.volumes.byVolume_id(volume.id).delete()
    await it.delete()
    assert.equal((await v2.projects.defaultEscaped.get()).project.isDefault, true)
  },

  // The client sends no body when it creates a load balancer: this one is made without it.
  async 'load balancers'() {
    const one = await droplet('behind')
    const rule = { entry_protocol: 'http', entry_port: 80, target_protocol: 'http', target_port: 8080 }
    const answer = await fetch(api + '/v2/load_balancers', {
      method: 'POST', headers: { authorization: 'Bearer ' + token },
      body: JSON.stringify({ name: 'shop', region: 'nyc3', size_unit: 1, droplet_ids: [one.id], forwarding_rules: [rule] }),
    })
    assert.equal(answer.status, 202)
    const { load_balancer: made } = await answer.json()
    await pass()
    const it = v2.load_balancers.byLb_id(made.id)
    const { loadBalancer } = await it.get()
    assert.deepEqual([loadBalancer.name, loadBalancer.status, loadBalancer.dropletIds], ['shop', 'active', [one.id]])
    assert.ok(loadBalancer.ip && loadBalancer.healthCheck.port === 80)
    await it.forwarding_rules.post({ forwardingRules: [{ entryProtocol: 'tcp', entryPort: 5432, targetProtocol: 'tcp', targetPort: 5432 }] })
    assert.deepEqual((await it.get()).loadBalancer.forwardingRules.map(r => r.entryPort), [80, 5432])
    await refused(403, 'forbidden', it.droplets.delete({ dropletIds: [one.id] }))
    await pass()
    await it.droplets.delete({ dropletIds: [one.id] })
    assert.deepEqual((await it.get()).loadBalancer.dropletIds, [])
    await it.delete()
    await v2.droplets.byDroplet_id(one.id).delete()
  },

  async 'what is only listed'() {
    const { databases } = await v2.databases.get()
    assert.deepEqual(databases.map(d => [d.name, d.engine, d.status]), [['orders', 'pg', 'online']])
    assert.equal((await v2.databases.byDatabase_cluster_uuid(databases[0].id).get()).database.name, 'orders')
    const { kubernetesClusters } = await v2.kubernetes.clusters.get()
    assert.deepEqual(names(kubernetesClusters), ['shop'])
    const cluster = v2.kubernetes.clusters.byCluster_id(kubernetesClusters[0].id)
    assert.ok((await cluster.node_pools.get()).nodePools.length > 0)
  },

  async 'billing'() {
    const { invoicePreview } = await v2.customers.my.invoices.get()
    assert.equal(invoicePreview.invoicePeriod, '2100-01')
    await pass(32 * 24 * 3600)
    const { invoices } = await v2.customers.my.invoices.get()
    assert.deepEqual(invoices.map(i => i.invoicePeriod), ['2100-01'])
    const it = v2.customers.my.invoices.byInvoice_uuid(invoices[0].invoiceUuid)
    const cents = amount => BigInt(amount.replace('.', ''))
    const { invoiceItems } = await it.get({ queryParameters: { perPage: 200 } })
    assert.equal(invoiceItems.reduce((sum, i) => sum + cents(i.amount), 0n), cents(invoices[0].amount))
    assert.equal((await it.summary.get()).amount, invoices[0].amount)
    const csv = new TextDecoder().decode(await it.csv.get())
    assert.equal(csv.trim().split('\n').length, invoiceItems.length + 1)
    const { billingHistory } = await v2.customers.my.billing_history.get()
    assert.deepEqual(billingHistory.map(e => e.type), ['Payment', 'Invoice'])
    const balance = await v2.customers.my.balance.get()
    assert.equal(balance.accountBalance, '0.00')
    assert.ok(balance.generatedAt instanceof Date)
  },
}

for (const [name, tell] of Object.entries(chapters)) {
  try {
    await tell()
  } catch (e) {
    console.error(`${name}: ${e.stack ?? JSON.stringify(e)}`)
    process.exit(1)
  }
}
