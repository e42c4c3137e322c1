package blueprint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/robfig/cron/v3"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
)

// maxSource is how many bytes a blueprint may have.
const maxSource = 256 << 10

// Parse reads a blueprint, YAML or JSON, of at most 256 KiB. name is what errors call
// the document. Everything that is wrong with it is told at once, each with line,
// column, what is allowed and what was probably meant: a fault of kind Invalid from
// which errors.As takes [manifest.Problems].
func Parse(name string, source []byte) (*Blueprint, error) {
	if len(source) > maxSource {
		return nil, fault.New(fault.Invalid, "%s is larger than %d KiB. Put what is large elsewhere and fetch it.", name, maxSource>>10)
	}
	if !utf8.Valid(source) {
		return nil, fault.New(fault.Invalid, "%s is no text in UTF-8.", name)
	}
	var bp *Blueprint
	err := manifest.Check(name, source, func(root manifest.Value) {
		c := &checker{root: root, wrong: checkForm(root), needs: make(map[string]need)}
		var unfit error
		bp, unfit = decode(root)
		if unfit != nil && len(c.wrong) == 0 {
			root.Fail("A whole number is written with digits alone.")
			return
		}
		c.bp = bp
		c.bp.dropEmpty()
		c.check()
	})
	if err != nil {
		return nil, err
	}
	return bp, nil
}

// dropEmpty takes out what a document that is not of the right form left empty.
func (bp *Blueprint) dropEmpty() {
	drop(bp.Parameters)
	drop(bp.Droplets)
	drop(bp.Volumes)
	drop(bp.Firewalls)
	drop(bp.ReservedIPs)
	drop(bp.Health)
	if bp.DNS != nil {
		drop(bp.DNS.Records)
	}
}

func drop[V any](m map[string]*V) {
	for key, value := range m {
		if value == nil {
			delete(m, key)
		}
	}
}

// A checker asks whether a document that is of the right form makes sense.
type checker struct {
	root  manifest.Value
	bp    *Blueprint
	wrong []string // paths of what is not of the right form
	needs map[string]need
}

// A need is the largest effect that a change of a parameter has, and where.
type need struct {
	effect Effect
	place  string
}

// fail tells what is wrong at a path, unless it is not of the right form anyway.
func (c *checker) fail(path []string, format string, args ...any) {
	if !c.isWrong(path) {
		locate(c.root, path).Fail(format, args...)
	}
}

func (c *checker) isWrong(path []string) bool {
	joined := strings.Join(path, "/")
	return slices.ContainsFunc(c.wrong, func(w string) bool {
		return w == joined || strings.HasPrefix(joined, w+"/") || strings.HasPrefix(w, joined+"/")
	})
}

func (c *checker) check() {
	for _, name := range sortedKeys(c.bp.Parameters) {
		c.parameter([]string{"parameters", name}, c.bp.Parameters[name])
	}
	c.bp.visit(c.use)
	c.droplets()
	c.cloudInits()
	c.keys()
	c.rules()
	c.records()
	c.probes()
	if p := c.bp.BackupPolicy; p != nil {
		c.cron(p.Schedule, "backup_policy", "schedule")
		c.cron(p.Drill, "backup_policy", "drill")
		if p.Keep == (Retention{}) {
			c.fail([]string{"backup_policy", "keep"}, "Nothing would be kept.")
		}
	}
	c.cycles()
	c.changeable()
}

func (c *checker) parameter(path []string, p *Parameter) {
	at := func(field string) []string { return append(slices.Clone(path), field) }
	if p.Type != String && p.Pattern != "" {
		c.fail(at("pattern"), "Only a parameter of type string has a pattern.")
	}
	if p.Type != Integer && (p.Min != nil || p.Max != nil) {
		field := "min"
		if p.Min == nil {
			field = "max"
		}
		c.fail(at(field), "Only a parameter of type integer has it.")
	}
	if p.Min != nil && p.Max != nil && *p.Min > *p.Max {
		c.fail(at("max"), "It is less than min.")
	}
	if p.Pattern != "" {
		if _, err := compilePattern(p.Pattern); err != nil {
			c.fail(at("pattern"), "It is no regular expression: %v.", err)
		}
	}
	bare := *p
	bare.Enum = nil
	for i, value := range p.Enum {
		if err := bare.check(string(value)); err != nil {
			c.fail(append(at("enum"), fmt.Sprint(i)), "%v", err)
		}
	}
	if p.Default != nil {
		if err := p.check(string(*p.Default)); err != nil {
			c.fail(at("default"), "%v", err)
		}
	}
}

// use looks at one expression.
func (c *checker) use(u use) {
	parts, err := u.expr.parts()
	if err != nil {
		c.fail(u.path, "%v", err)
		return
	}
	constant := true
	for _, p := range parts {
		if p.ref == "" {
			continue
		}
		constant = false
		if err := c.reference(u, p.ref, len(parts) == 1); err != nil {
			c.fail(u.path, "%v", err)
		}
	}
	if constant {
		value, _ := u.expr.Value(nil)
		if err := u.form.check(value); err != nil {
			c.fail(u.path, "%v", err)
		}
	}
}

func (c *checker) reference(u use, r reference, whole bool) error {
	if name, is := r.parameter(); is {
		p, err := c.bp.parameter(r)
		if err != nil {
			return err
		}
		c.need(name, u.effect, strings.Join(u.path, "."))
		if p.Type == Secret {
			return fmt.Errorf("${%s}: a secret is never written out. cloud_init has {{ secret %q }} for it.", r, name)
		}
		if whole {
			return u.form.accepts(name, p)
		}
		return nil
	}
	early, _, err := c.bp.about(r)
	switch {
	case err != nil:
		return err
	case !early && !u.late:
		return fmt.Errorf("${%s} is known only once it was made. It may stand in the data of DNS records, the addresses of firewalls, the targets of health probes and cloud_init.", r)
	case whole && !slices.Contains(u.form.types, String):
		return fmt.Errorf("${%s} is a text. Here it must be %s.", r, strings.Join(texts(u.form.types), " or "))
	}
	return nil
}

// parameter is the name of the parameter that is referred to.
func (r reference) parameter() (name string, is bool) {
	words := r.words()
	if words[0] != "param" {
		return "", false
	}
	return strings.Join(words[1:], "."), true
}

func (bp *Blueprint) parameter(r reference) (*Parameter, error) {
	name, _ := r.parameter()
	if p, ok := bp.Parameters[name]; ok {
		return p, nil
	}
	names := sortedKeys(bp.Parameters)
	if len(names) == 0 {
		return nil, fmt.Errorf("${%s}: this blueprint has no parameters.", r)
	}
	return nil, fmt.Errorf("${%s}: there is no parameter %s. There is %s.%s", r, clip(name), listed(names), near(name, names))
}

func (c *checker) need(parameter string, effect Effect, place string) {
	if known, ok := c.needs[parameter]; !ok || slices.Index(effects, effect) > slices.Index(effects, known.effect) {
		c.needs[parameter] = need{effect, place}
	}
}

// changeable sees that no parameter promises more than its uses can hold, and gives
// those that promise nothing what their uses ask for.
func (c *checker) changeable() {
	for _, name := range sortedKeys(c.bp.Parameters) {
		p := c.bp.Parameters[name]
		n, used := c.needs[name]
		switch {
		case p.Changeable == "" && used:
			p.Changeable = n.effect
		case p.Changeable == "":
			p.Changeable = Live
		case used && slices.Index(effects, p.Changeable) < slices.Index(effects, n.effect):
			least := slices.Index(effects, n.effect)
			c.fail([]string{"parameters", name, "changeable"}, "It cannot be %s, because of %s. It is %s.", p.Changeable, n.place, strings.Join(texts(effects[least:]), " or "))
		}
		if p.SetBy == "" {
			p.SetBy = ByOperator
		}
	}
}

// key sees that something with the key is there.
func (c *checker) key(key string, path ...string) {
	if _, ok := c.bp.Droplets[key]; ok || key == "" {
		return
	}
	keys := sortedKeys(c.bp.Droplets)
	if len(keys) == 0 {
		c.fail(path, "There is no droplet %s: this blueprint has none.", clip(key))
		return
	}
	c.fail(path, "There is no droplet %s. There is %s.%s", clip(key), listed(keys), near(key, keys))
}

// keys looks at everything that names a droplet.
func (c *checker) keys() {
	for _, key := range sortedKeys(c.bp.Volumes) {
		v := c.bp.Volumes[key]
		c.key(v.Droplet, "volumes", key, "droplet")
	}
	ledTo := make(map[string]string)
	for _, key := range sortedKeys(c.bp.ReservedIPs) {
		droplet := c.bp.ReservedIPs[key].Droplet
		c.key(droplet, "reserved_ips", key, "droplet")
		if other, twice := ledTo[droplet]; twice {
			c.fail([]string{"reserved_ips", key, "droplet"}, "%s leads to droplet %s already. A droplet has at most one reserved address.", other, clip(droplet))
		}
		ledTo[droplet] = key
	}
	for _, key := range sortedKeys(c.bp.Firewalls) {
		f := c.bp.Firewalls[key]
		for i, droplet := range f.Droplets {
			c.key(droplet, "firewalls", key, "droplets", fmt.Sprint(i))
		}
	}
}

func (c *checker) rules() {
	for _, key := range sortedKeys(c.bp.Firewalls) {
		f := c.bp.Firewalls[key]
		for side, rules := range map[string][]Rule{"inbound": f.Inbound, "outbound": f.Outbound} {
			for i, r := range rules {
				path := []string{"firewalls", key, side, fmt.Sprint(i)}
				if (r.Protocol == "icmp") != (r.Ports == "") {
					c.fail(append(slices.Clone(path), "ports"), "A rule for tcp or udp has ports, one for icmp has none.")
				}
				if len(r.Addresses) == 0 && len(r.Droplets) == 0 {
					c.fail(path, "A rule names addresses or droplets. All addresses are 0.0.0.0/0 and ::/0.")
				}
				for j, droplet := range r.Droplets {
					c.key(droplet, append(slices.Clone(path), "droplets", fmt.Sprint(j))...)
				}
			}
		}
	}
}

func (c *checker) records() {
	if c.bp.DNS == nil {
		return
	}
	for _, key := range sortedKeys(c.bp.DNS.Records) {
		r := c.bp.DNS.Records[key]
		path := []string{"dns", "records", key}
		if r.Type == "SRV" && r.Port == 0 {
			c.fail(append(path, "port"), "A record of type SRV has a port.")
		}
		if r.Type == "CNAME" && r.Name == "@" {
			c.fail(append(path, "name"), "The domain itself has no record of type CNAME. Take A.")
		}
	}
}

func (c *checker) probes() {
	for _, key := range sortedKeys(c.bp.Health) {
		p := c.bp.Health[key]
		at := func(field string) []string { return []string{"health", key, field} }
		isCallback, isWeb := p.Type == "callback", p.Type == "http" || p.Type == "https"
		switch {
		case isCallback && p.Droplet == "":
			c.fail(at("droplet"), "A callback names the droplet that calls.")
		case !isCallback && p.Target == "":
			c.fail(at("target"), "It is missing: the host's name or the address to ask.")
		case p.Type == "tcp" && p.Port == 0:
			c.fail(at("port"), "It is missing: tcp has no port of its own.")
		}
		for field, isSet := range map[string]bool{"path": p.Path != "" && !isWeb, "status": p.Status != 0 && !isWeb,
			"port": p.Port != 0 && isCallback, "target": p.Target != "" && isCallback, "droplet": p.Droplet != "" && !isCallback} {
			if isSet {
				c.fail(at(field), "A probe of type %s does not have it.", p.Type)
			}
		}
		c.key(p.Droplet, at("droplet")...)
	}
}

// cron sees that a schedule is one of five fields.
func (c *checker) cron(schedule string, path ...string) {
	if schedule == "" {
		return
	}
	plan, err := ParseCron(schedule)
	switch {
	case strings.Contains(schedule, "="):
		c.fail(path, "It has no zone of its own: the tenant's counts.")
	case err != nil:
		c.fail(path, "It is no schedule: %v. Five fields of cron are minute, hour, day of the month, month and day of the week, like 30 3 * * *.", err)
	case plan.Next(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero():
		c.fail(path, "It never comes.")
	}
}

// ParseCron reads five fields of cron, by the clock on a wall. A zone before them, which
// the library takes (TZ=…), is an error: with nothing behind it the library panics
// (https://github.com/robfig/cron/issues/554).
func ParseCron(text string) (cron.Schedule, error) {
	if strings.Contains(text, "=") {
		return nil, errors.New("a schedule has no zone of its own")
	}
	return cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(text)
}

// droplets looks at what goes beyond the form of each droplet.
func (c *checker) droplets() {
	for _, key := range sortedKeys(c.bp.Droplets) {
		d := c.bp.Droplets[key]
		if b := d.Backups; b != nil && (b.Plan == "weekly") != (b.Weekday != "") {
			c.fail([]string{"droplets", key, "backups", "weekday"}, "Weekly backups have a weekday, daily ones have none.")
		}
	}
}

// cycles tells what would have to be made before itself.
func (c *checker) cycles() {
	err := c.bp.cycle()
	if loop, ok := errors.AsType[*cycleError](err); ok {
		c.failAtLine(loop.path, wrongAt(loop.line, "%v", loop))
	}
}
