"""Drives a simulated DigitalOcean with Apache Libcloud's drivers, as they come from
the package, over plain HTTP. It never waits: where a client would, it has the
cloud's clock advance.

usage: python3 drive.py API-URL ADMIN-URL TOKEN
"""

import json
import sys
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.providers import get_driver as compute_driver
from libcloud.compute.types import NodeState
from libcloud.dns.providers import get_driver as dns_driver
from libcloud.dns.types import RecordType

api, admin, token = sys.argv[1:]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPfo2BhL0jHXk1F1bBqaTJZRWeTIQzMIdRvZ6FRBxl5c ops"


def driver(cls):
    """A driver whose connection leads to the simulator and nowhere else."""
    made, to = cls(token), urlsplit(api)
    connection = made.connection
    connection.host, connection.port, connection.secure = to.hostname, to.port, 0
    connection.connect()
    return made


def wait(seconds=120):
    """Advance the cloud's clock: two minutes are longer than anything takes here."""
    body = json.dumps({"seconds": seconds}).encode()
    with urlopen(Request(admin + "/clock/advance", data=body, method="POST"), timeout=10) as answer:
        assert answer.status == 200


def want(what, have, should):
    assert have == should, f"{what}: have {have!r}, want {should!r}"


def refused(code, call, *args):
    try:
        call(*args)
    except BaseHTTPError as e:
        want(f"the code of {e.message}", e.code, code)
        return
    raise AssertionError(f"{call.__name__}{args} was not refused")


do = driver(compute_driver("digitalocean"))
dns = driver(dns_driver("digitalocean"))

want("the account", do.ex_account_info()["status"], "active")
sizes = {s.id: s for s in do.list_sizes()}
small, large = sizes["s-1vcpu-1gb"], sizes["s-2vcpu-2gb"]
want("a size", (small.ram, small.disk, small.extra["vcpus"], small.extra["price_monthly"]), (1024, 25, 1, 6))
nyc3 = next(r for r in do.list_locations() if r.id == "nyc3")
ubuntu = next(i for i in do.list_images() if i.extra["slug"] == "ubuntu-24-04-x64")
want("an image", do.get_image(ubuntu.id).name, ubuntu.name)

key = do.create_key_pair("ops", PUBLIC_KEY)
refused(422, do.create_key_pair, "ops", PUBLIC_KEY)
wait()
want("the keys", [(k.name, k.fingerprint) for k in do.list_key_pairs()], [("ops", key.fingerprint)])

node = do.create_node("web-1", small, ubuntu, nyc3, ex_create_attr={"tags": ["web"], "ipv6": True, "ssh_keys": [key.fingerprint]})
want("a node at first", node.state, NodeState.PENDING)
wait()
node = do.ex_get_node_details(node.id)
want("the node", (node.name, node.state, node.extra["tags"]), ("web-1", NodeState.RUNNING, ["web"]))
want("its addresses", (len(node.public_ips), len(node.private_ips)), (1, 1))
want("the nodes", [n.name for n in do.list_nodes()], ["web-1"])
for act, args in (
    (do.reboot_node, ()), (do.ex_hard_reboot, ()), (do.ex_rename_node, ("web-one",)), (do.create_image, ("by-hand",)),
    (do.ex_shutdown_node, ()), (do.ex_resize_node, (large,)), (do.ex_power_on_node, ()), (do.ex_rebuild_node, ()),
):
    assert act(node, *args), act.__name__
    wait()
now = do.ex_get_node_details(node.id)
want("the node then", (now.name, now.size.id, now.state), ("web-one", "s-2vcpu-2gb", NodeState.RUNNING))
do.reboot_node(node)
refused(422, do.ex_hard_reboot, node)  # one at a time
wait()
shot = next(i for i in do.list_images() if i.name == "by-hand")
assert do.delete_image(shot)

volume = do.create_volume(10, "data", nyc3)
wait()
assert do.attach_volume(node, volume)
wait()
volume = do.list_volumes()[0]
want("the volume", (volume.name, volume.size, volume.extra["droplet_ids"]), ("data", 10, [int(node.id)]))
refused(409, do.destroy_volume, volume)
snapshot = do.create_volume_snapshot(volume, "data-1")
wait()
want("its snapshots", [s.name for s in do.list_volume_snapshots(volume)], ["data-1"])
assert do.detach_volume(volume)
wait()
assert do.destroy_volume(volume)

ip = do.ex_create_floating_ip(nyc3)
wait()
assert do.ex_attach_floating_ip_to_node(node, ip)
wait()
want("the address's node", do.ex_get_floating_ip(ip.ip_address).node_id, int(node.id))
assert do.ex_detach_floating_ip_from_node(node, ip)
wait()
want("and then", do.ex_get_floating_ip(ip.ip_address).node_id, None)
assert do.ex_delete_floating_ip(ip)

# More than a page: the driver follows the last link.
for n in range(205):
    dns.create_zone(f"zone-{n:03}.example", extra={"ip": "192.0.2.1"})
    wait(1)
wait()
zones = dns.list_zones()
want("the zones", [z.domain for z in zones], [f"zone-{n:03}.example" for n in range(205)])
zone = dns.get_zone("zone-000.example")
record = dns.create_record("www", zone, RecordType.A, "192.0.2.2", extra={"ttl": 600})
dns.create_record("@", zone, RecordType.MX, "mail.example.com.", extra={"priority": 10})
wait()
read = dns.get_record(zone.id, record.id)
want("the record", (read.name, read.type, read.data, read.ttl), ("www", RecordType.A, "192.0.2.2", 600))
want("its new data", dns.update_record(read, data="192.0.2.3").data, "192.0.2.3")
want("the types", sorted(r.type for r in dns.list_records(zone)), ["A", "A", "MX", "NS", "NS", "NS", "SOA"])
assert dns.delete_record(record)
for z in zones:
    assert dns.delete_zone(z)

assert do.destroy_node(node)
refused(404, do.ex_get_node_details, node.id)
assert do.delete_key_pair(key)
assert do.delete_volume_snapshot(snapshot)
