package dosim

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func dropletActionResource() resource {
	return resource{
		routes: []route{
			op("GET /v2/droplets/{droplet}/actions", listDropletActions, "droplet:read"),
			op("POST /v2/droplets/{droplet}/actions", startDropletAction, "droplet:update"),
			op("GET /v2/droplets/{droplet}/actions/{action}", getDropletAction, "droplet:read"),
			op("POST /v2/droplets/actions", startActionsByTag, "droplet:update"),
		},
		duties: []duty{{dutyDropletChange, changeDroplet}},
		params: []Param{
			{"action.power_cycle", "10s", 0, 0, "how long a power_cycle action takes"},
			{"action.reboot", "10s", 0, 0, "how long a reboot action takes"},
			{"action.password_reset", "10s", 0, 0, "how long a password_reset action takes"},
			{"action.rename", "2s", 0, 0, "how long a rename action takes"},
			{"action.resize", "60s", 0, 0, "how long a resize action takes"},
			{"action.rebuild", "30s", 0, 0, "how long a rebuild action takes"},
			{"action.restore", "60s", 0, 0, "how long a restore action takes"},
			{"action.enable_ipv6", "5s", 0, 0, "how long an enable_ipv6 action takes"},
			{"action.enable_backups", "2s", 0, 0, "how long an enable_backups action takes"},
			{"action.disable_backups", "2s", 0, 0, "how long a disable_backups action takes"},
			{"action.change_backup_policy", "2s", 0, 0, "how long a change_backup_policy action takes"},
		},
	}
}

func listDropletActions(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	return c.actionPage("of:" + d.urn())
}

// getDropletAction is the droplet's view of an action. It differs from the
// account's: completed_at stays null in it (digitalocean/api-v2#199).
func getDropletAction(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	a, ok := c.actionOf(d.urn())
	if !ok {
		return notFound()
	}
	w := c.distortion(true)(wireAction(c, a))
	if c.sim.params.on(paramCompletedAtNull) {
		w.CompletedAt = nil
	}
	return showing("action", w)
}

type dropletActionBody struct {
	Type         string          `json:"type"`
	Name         string          `json:"name"`
	Size         string          `json:"size"`
	Disk         bool            `json:"disk"`
	Image        json.RawMessage `json:"image"`
	BackupPolicy *backupPolicy   `json:"backup_policy"`
}

// A dropletVerb is one type of action on a droplet. It takes what the parameter
// action.TYPE says.
type dropletVerb struct {
	scopes []string // which the description demands in its prose alone
	byTag  bool     // it may be asked for by tag
	// ends says what it changes when it ends, or why it cannot be.
	ends func(c *call, d *droplet, b dropletActionBody) (dropletChange, error)
}

func dropletVerbs() map[string]dropletVerb {
	nothing := func(*call, *droplet, dropletActionBody) (dropletChange, error) { return dropletChange{}, nil }
	return map[string]dropletVerb{
		"power_on":             {byTag: true, ends: nothing},
		"power_off":            {byTag: true, ends: nothing},
		"power_cycle":          {byTag: true, ends: nothing},
		"shutdown":             {byTag: true, ends: nothing},
		"reboot":               {ends: nothing},
		"password_reset":       {scopes: []string{"droplet:admin"}, ends: nothing},
		"snapshot":             {scopes: []string{"image:create"}, byTag: true, ends: nothing},
		"rename":               {ends: endRename},
		"resize":               {scopes: []string{"droplet:create"}, ends: endResize},
		"rebuild":              {scopes: []string{"droplet:admin"}, ends: endRebuild},
		"restore":              {scopes: []string{"droplet:admin"}, ends: endRestore},
		"enable_ipv6":          {byTag: true, ends: endEnableIPv6},
		"enable_backups":       {byTag: true, ends: endEnableBackups},
		"disable_backups":      {byTag: true, ends: endDisableBackups},
		"change_backup_policy": {ends: endChangeBackupPolicy},
		"change_kernel": {ends: func(*call, *droplet, dropletActionBody) (dropletChange, error) {
			return dropletChange{}, errors.New("This Droplet boots its own kernel, which can not be changed.")
		}},
	}
}

// startDropletAction starts what the body's type asks for. A snapshot's id is
// not in the answer, nor anywhere in its action (digitalocean/api-v2#98).
func startDropletAction(c *call) answer {
	d, ok := c.droplet()
	if !ok {
		return notFound()
	}
	var body dropletActionBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	verb, ok := dropletVerbs()[body.Type]
	switch {
	case !ok:
		return unprocessable("The action type is invalid or not supported.")
	case !c.token.may(verb.scopes):
		return forbidden()
	case c.refusesAction(d.urn()):
		return pendingEvent()
	}
	change, err := verb.ends(c, d, body)
	if err != nil {
		return unprocessable(err.Error())
	}
	return created("action", wireAction(c, c.startOn(d, body, change)))
}

// startActionsByTag starts the same action on every droplet with a tag. It
// leaves out those that have a pending event or that it has no sense for; that
// is an assumption.
func startActionsByTag(c *call) answer {
	tag := c.r.URL.Query().Get("tag_name")
	var body dropletActionBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	verb := dropletVerbs()[body.Type]
	switch {
	case tag == "":
		return badRequest("tag_name is required.")
	case !verb.byTag:
		return unprocessable("The action type is invalid or not supported.")
	case !c.token.may(verb.scopes):
		return forbidden()
	}
	started := []actionWire{}
	for _, d := range c.sim.world.droplets.under(c, tagKey(tag)) {
		if c.refusesAction(d.urn()) {
			continue
		}
		if change, err := verb.ends(c, d, body); err == nil {
			started = append(started, wireAction(c, c.startOn(d, body, change)))
		}
	}
	return answer{http.StatusCreated, map[string]any{"actions": started}}
}

// startOn starts an action that nothing speaks against.
func (c *call) startOn(d *droplet, body dropletActionBody, change dropletChange) *action {
	then := ""
	if change != (dropletChange{}) {
		then, change.Droplet = dutyDropletChange, d.ID
	}
	a := c.act(d.action(body.Type), c.sim.params.duration("action."+body.Type), then, change)
	if body.Type == "snapshot" && a.succeeds() {
		name := cmp.Or(body.Name, d.Name+"-"+strconv.FormatInt(c.at.UnixMilli(), 10))
		c.snapshot(d, a, &snapshot{Kind: kindOfSnapshot, Name: name})
	}
	return a
}

// A dropletChange is what an action makes of its droplet when it ends. What is
// empty stays.
type dropletChange struct {
	Droplet   string        `json:"droplet"`
	Name      string        `json:"name,omitempty"`
	Size      string        `json:"size,omitempty"`
	Disk      int           `json:"disk,omitempty"` // with Size: the disk that stays; 0: it grows to the size's
	Image     string        `json:"image,omitempty"`
	IPv6      bool          `json:"ipv6,omitempty"`
	Backups   *backupPolicy `json:"backups,omitempty"`
	NoBackups bool          `json:"no_backups,omitempty"`
	Anew      bool          `json:"anew,omitempty"` // it starts as for the first time
}

const dutyDropletChange = "droplet.change"

func changeDroplet(c *call, arg json.RawMessage) {
	var to dropletChange
	if json.Unmarshal(arg, &to) != nil {
		return
	}
	d, ok := c.sim.world.droplets.get(c.account(), to.Droplet)
	if !ok || !d.exists(c.at) {
		return
	}
	next := copyOf(d)
	to.make(next, c.at)
	if checkDroplet(c.sim.world, next) != nil {
		return
	}
	c.sim.world.droplets.update(c, d, func(next *droplet) { to.make(next, c.at) })
	if to.Image != "" {
		c.imprint(d.urn(), c.filesOfImage(to.Image))
	}
	if to.Backups != nil {
		c.scheduleBackup(d)
	}
	if to.Anew {
		c.bootAgain(d)
	}
}

// make has d be what the change says.
func (to dropletChange) make(d *droplet, at time.Time) {
	d.Name, d.Image = cmp.Or(to.Name, d.Name), cmp.Or(to.Image, d.Image)
	if to.Size != "" {
		d.Size, d.Disk = to.Size, to.Disk
	}
	if to.IPv6 {
		d.Features = withFeature(d.Features, "ipv6")
	}
	switch {
	case to.NoBackups:
		d.Backups, d.Features = nil, only(d.Features, func(f string) bool { return f != "backups" })
	case to.Backups != nil:
		d.Backups, d.Features = &backupsOn{*to.Backups, at}, withFeature(d.Features, "backups")
	}
}

func withFeature(features []string, one string) []string {
	if slices.Contains(features, one) {
		return features
	}
	return append(slices.Clone(features), one)
}

func endRename(_ *call, _ *droplet, b dropletActionBody) (dropletChange, error) {
	if !isHostname(b.Name) {
		return dropletChange{}, errors.New("Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)")
	}
	return dropletChange{Name: b.Name}, nil
}

// endResize changes memory and processors, and the disk only where the body says
// so: a disk cannot shrink again.
func endResize(c *call, d *droplet, b dropletActionBody) (dropletChange, error) {
	catalog, disk := c.sim.world.catalog, d.diskSize(c.sim.world)
	size, ok := catalog.size(b.Size)
	switch {
	case !ok:
		return dropletChange{}, errors.New("You specified an invalid size for Droplet resize.")
	case !slices.Contains(size.Regions, d.Region):
		return dropletChange{}, errors.New("Size is not available in this region.")
	case size.Disk < disk:
		return dropletChange{}, errors.New("This size is not available because it has a smaller disk.")
	case size.Slug == d.Size && (!b.Disk || size.Disk == disk):
		return dropletChange{}, errors.New("The Droplet already has this size.")
	case d.status(c) != statusOff:
		return dropletChange{}, errors.New("Droplet must be powered off before resizing.")
	}
	to := dropletChange{Size: size.Slug}
	if !b.Disk && size.Disk > disk {
		to.Disk = disk
	}
	return to, nil
}

func endRebuild(c *call, d *droplet, b dropletActionBody) (dropletChange, error) {
	image, err := c.imageFor(b.Image, d.Region, d.diskSize(c.sim.world))
	return dropletChange{Image: strconv.FormatInt(image.ID, 10), Anew: true}, err
}

// endRestore takes a backup or a snapshot of the droplet itself.
func endRestore(c *call, d *droplet, b dropletActionBody) (dropletChange, error) {
	s, ok := c.sim.world.snapshots.find(c, string(b.Image))
	switch {
	case !ok || s.Droplet != d.ID:
		return dropletChange{}, errors.New("The image must be a backup of this Droplet.")
	case s.MinDiskSize > d.diskSize(c.sim.world):
		return dropletChange{}, errors.New("The Droplet's disk is too small for this image.")
	}
	return dropletChange{Image: s.ID}, nil
}

func endEnableIPv6(_ *call, d *droplet, _ dropletActionBody) (dropletChange, error) {
	if slices.Contains(d.Features, "ipv6") {
		return dropletChange{}, errors.New("IPv6 is already enabled on this Droplet.")
	}
	return dropletChange{IPv6: true}, nil
}

func endEnableBackups(c *call, d *droplet, b dropletActionBody) (dropletChange, error) {
	if d.Backups != nil {
		return dropletChange{}, errors.New("Backups are already enabled on this Droplet.")
	}
	policy, err := backupPolicyFor(b.BackupPolicy, c.sim.seed)
	return dropletChange{Backups: &policy}, err
}

func endChangeBackupPolicy(c *call, d *droplet, b dropletActionBody) (dropletChange, error) {
	if d.Backups == nil || b.BackupPolicy == nil {
		return dropletChange{}, errors.New("Backups must be enabled and a backup_policy given to change it.")
	}
	policy, err := backupPolicyFor(b.BackupPolicy, c.sim.seed)
	return dropletChange{Backups: &policy}, err
}

func endDisableBackups(_ *call, d *droplet, _ dropletActionBody) (dropletChange, error) {
	if d.Backups == nil {
		return dropletChange{}, errors.New("Backups are not enabled on this Droplet.")
	}
	return dropletChange{NoBackups: true}, nil
}
