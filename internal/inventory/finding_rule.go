package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// A scene is an account as it is at a time, as far as the rules of findings look.
type scene struct {
	account string
	at      time.Time
	listed  map[string]bool // kinds of which a whole list is known: of others nothing is known to lack
	objects []object
	index   map[string]int  // of the objects, by URN
	guarded map[string]bool // URNs that a firewall protects
	guards  map[string][]string
	against []Verdict           // words by hand that rules contradict
	limits  digitalocean.Limits // how much the account may have; 0: nobody knows
	tokens  []access.Token      // of all accounts
	reports []Report
}

// An object is a resource of a scene.
type object struct {
	urn, id, name string
	kind          *Kind
	doc           Doc
	monthly       Micros
	priced        bool // every part of it has a price, which may be nothing
	born          time.Time
	offSince      time.Time // of a droplet that is off
	owned         bool      // by a tenant, or said to be nobody's
	tenant        bool      // by a tenant
}

// findings are what is worth a look in a scene, the dearest first.
func (s scene) findings() []Finding {
	var all []Finding
	add := func(o object, rule FindingRule, mend, says string, args ...any) {
		all = append(all, Finding{
			ID: findingID(rule, s.account, cmp.Or(o.urn, o.name)), Rule: rule, URN: o.urn, Name: o.name, Account: s.account, Since: s.at, Monthly: o.monthly,
			Says: fmt.Sprintf(says, args...), Mend: mend,
		})
	}
	snapped := s.snapped()
	for _, o := range s.objects {
		if !o.priced {
			add(o, Unpriced, "arcadia inventory show "+o.short(), "Nobody knows what it costs: the price book has no price of a part of it.")
		}
		if !o.owned && (o.monthly > 0 || !o.priced) {
			add(o, Unattributed, "arcadia inventory assign TENANT "+o.short(), "It costs %s a month and is nobody's.", o.price())
		}
		switch o.kind {
		case volume:
			if len(o.doc.Texts("droplet_ids")) == 0 {
				add(o, UnattachedVolume, "doctl compute volume delete "+o.id, "No droplet uses this volume of %s GiB.", o.doc.Text("size_gigabytes"))
			}
		case reservedIP:
			if o.doc.Text("droplet", "id") == "" {
				add(o, UnassignedIP, "doctl compute reserved-ip delete "+o.id, "No droplet uses this address, which is why it costs something.")
			}
		case snapshot:
			s.snapshotFindings(o, add)
		case droplet:
			s.dropletFindings(o, snapped[o.urn], add)
		case certificate:
			if ends := o.doc.Time("not_after"); !ends.IsZero() && ends.Sub(s.at) < certIsShort {
				add(o, ExpiringCert, "https://cloud.digitalocean.com/account/security", "The certificate %s on %s.", expires(ends.Sub(s.at)), ends.Format(time.DateOnly))
			}
		case firewall:
			if ports := openPorts(o.doc); len(ports) > 0 && len(s.guards[o.urn]) > 0 {
				o.monthly = s.worth(s.guards[o.urn])
				add(o, OpenFirewall, "https://cloud.digitalocean.com/networking/firewalls/"+o.id, "It lets the whole world reach %s of %s.",
					strings.Join(ports, ", "), droplets(len(s.guards[o.urn])))
			}
		}
	}
	s.accountFindings(add)
	for _, r := range s.reports {
		all = append(all, Finding{
			ID: findingID(r.Rule, s.account, r.Subject), Rule: r.Rule, Name: r.Name, Account: s.account, Since: s.at, Monthly: s.worth(r.URNs), Says: r.Says, Mend: r.Mend,
		})
	}
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Monthly, a.Monthly), strings.Compare(string(a.Rule), string(b.Rule)), strings.Compare(a.URN, b.URN))
	})
	return all
}

type addFinding func(o object, rule FindingRule, mend, says string, args ...any)

func (s scene) accountFindings(add addFinding) {
	for _, v := range s.against {
		if i, there := s.index[v.URN]; there {
			o := s.objects[i]
			add(o, ContradictedByRule, "arcadia inventory unassign "+o.short(), "What somebody said of it is not what the rules say: %s", v.AgainstWhy)
		}
	}
	counts := map[*Kind]int{}
	for _, o := range s.objects {
		counts[o.kind]++
	}
	for _, l := range []struct {
		kind *Kind
		most int
	}{{droplet, s.limits.Droplets}, {volume, s.limits.Volumes}, {reservedIP, s.limits.ReservedIPs}} {
		if n := counts[l.kind]; l.most > 0 && s.listed[l.kind.Name] && n*100 > l.most*quotaIsNearFull {
			add(object{name: l.kind.Many}, QuotaNearlyUsed, "https://cloud.digitalocean.com/support", "The account has %d of at most %d %s.", n, l.most, l.kind.Many)
		}
	}
	for _, t := range s.tokens {
		if t.Account == s.account && t.Expiry(s.at) != access.Lasting {
			mend := fmt.Sprintf("arcadia token set %s --account %s", t.Purpose, s.account)
			add(object{name: string(t.Purpose) + " token"}, ExpiringToken, mend, "The %s token %s on %s.", t.Purpose, expires(t.ExpiresAt.Sub(s.at)), t.ExpiresAt.Format(time.DateOnly))
		}
	}
}

func expires(left time.Duration) string {
	if left < 0 {
		return "expired"
	}
	return "expires"
}

func (s scene) snapshotFindings(o object, add addFinding) {
	mend := "doctl compute snapshot delete " + o.id
	source := "do:" + o.doc.Text("resource_type") + ":" + o.doc.Text("resource_id")
	if _, there := s.index[source]; !there && s.listed[o.doc.Text("resource_type")] {
		add(o, OrphanSnapshot, mend, "What it was taken of, %s, is gone.", source)
		return
	}
	if age := s.at.Sub(o.born); !o.born.IsZero() && age > snapshotIsOld {
		add(o, OldSnapshot, mend, "It is %d days old.", age/(24*time.Hour))
	}
}

func (s scene) dropletFindings(o object, snapped time.Time, add addFinding) {
	if off := s.at.Sub(o.offSince); !o.offSince.IsZero() && off >= offIsLong {
		add(o, DropletOff, "doctl compute droplet-action power-on "+o.id, "It has been off for %d days, and costs as much as if it were on.", off/(24*time.Hour))
	}
	if isNode(o.doc) || s.at.Sub(o.born) < dropletIsNew {
		return // clusters care for their nodes
	}
	if s.listed[firewall.Name] && !s.guarded[o.urn] {
		add(o, NoFirewall, "doctl compute firewall add-droplets FIREWALL --droplet-ids "+o.id, "No firewall protects it.")
	}
	if o.tenant && s.listed[snapshot.Name] && !hasBackups(o.doc) && s.at.Sub(snapped) > backupIsFresh {
		last := "there is no snapshot of it"
		if !snapped.IsZero() {
			last = "its last snapshot is of " + snapped.Format(time.DateOnly)
		}
		add(o, NoBackup, "doctl compute droplet-action enable-backups "+o.id, "A tenant's droplet without backups: %s.", last)
	}
}

// isNode says that a droplet is a node of a cluster, which DigitalOcean tags so.
func isNode(d Doc) bool {
	return slices.ContainsFunc(d.Texts("tags"), func(tag string) bool { return strings.HasPrefix(tag, "k8s:") })
}

// snapped is when the last snapshot of each droplet was taken.
func (s scene) snapped() map[string]time.Time {
	last := map[string]time.Time{}
	for _, o := range s.objects {
		if o.kind != snapshot || o.doc.Text("resource_type") != droplet.Name {
			continue
		}
		of := droplet.URN(s.account, o.doc.Text("resource_id"))
		if o.born.After(last[of]) {
			last[of] = o.born
		}
	}
	return last
}

// worth is what resources cost together.
func (s scene) worth(urns []string) (sum Micros) {
	for _, urn := range urns {
		if i, there := s.index[urn]; there {
			sum += s.objects[i].monthly
		}
	}
	return sum
}

func (o object) short() string { return strings.TrimPrefix(o.urn, "do:") }

func (o object) price() string {
	if !o.priced {
		return "nobody knows what"
	}
	return "USD " + money.New((int64(o.monthly)+5_000)/10_000, "USD").Decimal()
}

// guardedPorts are where nobody but those who run a server should come in: shells,
// desktops and databases.
var guardedPorts = []struct {
	port int
	what string
}{
	{22, "SSH"}, {23, "Telnet"}, {3389, "Remote Desktop"}, {3306, "MySQL"}, {5432, "PostgreSQL"}, {6379, "Redis"}, {9200, "OpenSearch"},
	{11211, "Memcached"}, {27017, "MongoDB"},
}

// openPorts are the guarded ports that a firewall opens to the whole world.
func openPorts(d Doc) (open []string) {
	for _, g := range guardedPorts {
		for _, rule := range d.Docs("inbound_rules") {
			from := rule.Texts("sources", "addresses")
			world := contains(from, "0.0.0.0/0") || contains(from, "::/0")
			if world && rule.Text("protocol") == "tcp" && inPorts(rule.Text("ports"), g.port) {
				open = append(open, fmt.Sprintf("%s (%d)", g.what, g.port))
				break
			}
		}
	}
	return open
}

// inPorts says whether a port is among those of a rule: "22", "8000-9000", and all
// of them as "all" or "0".
func inPorts(ports string, port int) bool {
	if ports == "all" || ports == "0" || ports == "" {
		return true
	}
	first, last, ranged := strings.Cut(ports, "-")
	if !ranged {
		last = first
	}
	from, err := strconv.Atoi(first)
	if err != nil {
		return false
	}
	to, err := strconv.Atoi(last)
	return err == nil && from <= port && port <= to
}

func droplets(n int) string {
	if n == 1 {
		return "1 droplet"
	}
	return fmt.Sprintf("%d droplets", n)
}
