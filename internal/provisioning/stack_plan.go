package provisioning

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

// A PlanRequest asks what would be done.
type PlanRequest struct {
	Verb    Verb   `json:"verb"`
	Account string `json:"account,omitempty"` // of a new stack

	// Of a new stack.
	Blueprint  string            `json:"blueprint,omitempty"` // name or name@version
	Tenant     string            `json:"tenant,omitempty"`    // slug or id
	Name       string            `json:"name,omitempty"`
	Zone       string            `json:"zone,omitempty"` // of its schedules; default UTC
	Parameters map[string]string `json:"parameters,omitempty"`

	// Of a stack that is there.
	Stack   string            `json:"stack,omitempty"`   // id, name or TENANT/NAME
	Options map[string]string `json:"options,omitempty"` // of the operation

	// id that a new stack would have; the same in every plan that is made again.
	NewID StackID `json:"new_id,omitempty"`

	// Due is when the schedule was that asks for a backup; zero: a person does.
	Due time.Time `json:"due,omitzero"`
}

// PlanStack works out what a verb would do, keeps it, and changes nothing.
func (s *Service) PlanStack(ctx context.Context, r PlanRequest, actor string, at time.Time) (Plan, error) {
	if r.NewID == "" && (r.Stack == "" || r.Options["into"] != "") {
		r.NewID = StackID(id.New("stack"))
	}
	p, err := s.draw(ctx, r)
	if err != nil {
		return p.Plan, err
	}
	p.ID, p.Actor, p.CreatedAt = PlanID(id.New("plan")), actor, at.UTC().Truncate(time.Microsecond)
	p.Quote = s.quoted(ctx, p.Plan, at)
	err = s.db.Write(ctx, func(tx *sql.Tx) error { return insertPlan(ctx, tx, p.Plan, r) })
	return p.Plan, err
}

// A drawn plan has what applying it needs besides.
type drawn struct {
	Plan
	draft    Draft // of a new stack
	owner    tenant.Tenant
	stack    Stack // one that is there
	has      []StackResource
	building Building

	trim  func(*blueprint.Spec) error // what a new stack takes out of its blueprint's; nil: nothing
	kind  string                      // of the saga, where it is another than the operation's
	input func(PlanID) any            // of the saga
	// begin writes down that the saga has the stack; nil: the one that is there.
	begin func(ctx context.Context, tx *sql.Tx, of saga.ID, at time.Time) error
}

// draw reads everything anew and works the plan out.
func (s *Service) draw(ctx context.Context, r PlanRequest) (d drawn, err error) {
	o, err := OperationOf(r.Verb)
	if err != nil {
		return d, err
	}
	if r.Options, err = o.check(r.Options); err != nil {
		return d, err
	}
	if len(o.From) > 0 {
		if d, err = s.onStack(ctx, o, r); err != nil {
			return d, err
		}
	}
	if err := o.draw(s, ctx, r, &d); err != nil {
		return d, err
	}
	if err := s.withinCaps(d.Plan); err != nil {
		return d, err
	}
	if err := s.Frozen(ctx, d.Account, d.Tenant); err != nil {
		if fault.KindOf(err) != fault.Conflict {
			return d, err
		}
		d.Warnings = append(d.Warnings, fault.Message(err))
	}
	return d, d.seal()
}

var provisionOperation = Operation{
	Verb: Provision, Kind: ProvisionStackKind, Help: "Make a stack from a blueprint.",
	Options: []Option{{Name: "reuse_name", Type: SwitchOption, Default: "false", Help: "Take a name that is held since its stack was torn down."}},
	draw:    (*Service).drawProvision, sweep: (*Service).sweepStack,
}

func (s *Service) drawProvision(ctx context.Context, r PlanRequest, d *drawn) error {
	if err := s.drawNew(ctx, r, d); err != nil {
		return err
	}
	c, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	if err := s.readOneTime(ctx, d); err != nil {
		return err
	}
	if err := s.readCatalog(ctx, c, d); err != nil {
		return err
	}
	d.Steps = planned(s.steps.provisionStack(), d.creates())
	if bare := d.building.Spec.Bare(); len(bare) > 0 {
		d.Warnings = append(d.Warnings, blueprint.BareWarning(bare))
	}
	d.input = func(of PlanID) any {
		d.building.Plan = of
		return d.building
	}
	d.begin = func(ctx context.Context, tx *sql.Tx, of saga.ID, at time.Time) error {
		return s.beginStack(ctx, tx, d, of, at)
	}
	return nil
}

// drawNew begins the plan of a new stack: with its blueprint, whose it is to be, and what
// must stand then.
func (s *Service) drawNew(ctx context.Context, r PlanRequest, d *drawn) error {
	draft, err := s.Blueprint(ctx, r.Blueprint)
	if err != nil {
		return err
	}
	of, err := s.tenants.Tenant(ctx, r.Tenant)
	if err != nil {
		return err
	}
	if of.State != tenant.Active {
		return fault.New(fault.Conflict, "Tenant %s is %s: it gets no new stacks.", of.Slug, of.State)
	}
	account := r.Account
	if account == "" {
		account = s.steps.set.Account
	}
	zone := r.Zone
	if zone == "" {
		zone = "UTC"
	}
	spec, err := blueprint.Resolve(draft.Blueprint, r.Parameters, blueprint.Tenant{Slug: of.Slug, Zone: zone}, blueprint.Stack{ID: string(r.NewID), Name: r.Name})
	if err != nil {
		return err
	}
	if d.trim != nil {
		if err := d.trim(&spec); err != nil {
			return err
		}
	}
	if err := s.nameIsFree(ctx, s.db.Read(), of, r.Name); err != nil {
		return err
	}
	if r.Options["reuse_name"] != "true" {
		if err := s.nameIsHeld(ctx, of, r.Name, time.Now()); err != nil {
			return err
		}
	}
	d.draft, d.owner = draft, of
	d.Plan = Plan{Verb: r.Verb, Stack: r.NewID, Name: r.Name, Tenant: of.ID, Account: account, Read: map[string]string{
		"blueprint " + draft.Ref(): draft.Hash[:12], "tenant " + of.Slug: string(of.State),
	}, Room: map[string]string{}}
	d.building.Account, d.building.Tenant, d.building.Stack, d.building.Name, d.building.Spec = account, string(of.ID), r.NewID, r.Name, spec
	return nil
}

// nameIsFree answers fault.Conflict where the tenant has a stack of the name. One whose
// making was undone makes room.
func (s *Service) nameIsFree(ctx context.Context, q db.Queryer, of tenant.Tenant, name string) error {
	found, err := s.stacks(ctx, q, `tenant_id = $1 AND name = $2 AND state NOT IN ('gone','failed')`, string(of.ID), name)
	if err != nil {
		return err
	}
	for _, one := range found {
		last, err := s.engine.Saga(ctx, one.Saga)
		if err != nil {
			return err
		}
		if one.State != StackNew || last.State != saga.RolledBack {
			return fault.New(fault.Conflict, "Tenant %s has a stack %s already (%s, %s).", of.Slug, name, one.ID, one.State)
		}
	}
	return nil
}

// nameIsHeld answers fault.Conflict where a stack of the name was torn down a short while
// ago: what still knows the old one by its name would take the new one for it.
func (s *Service) nameIsHeld(ctx context.Context, of tenant.Tenant, name string, at time.Time) error {
	var until db.NullTime
	err := s.db.Read().QueryRowContext(ctx, `SELECT MAX(name_held_until) FROM stacks WHERE tenant_id = $1 AND name = $2`, string(of.ID), name).Scan(&until)
	if err == nil && until.Time.After(at) {
		return fault.New(fault.Conflict, "The name %s is held until %s, since tenant %s had a stack of it. Take another, or say `reuse_name`.",
			name, minute(until.Time), of.Slug)
	}
	return err
}

// readCatalog reads what DigitalOcean sells and what the account has, as far as the
// spec names it, and prices the resources.
func (s *Service) readCatalog(ctx context.Context, c *digitalocean.Client, d *drawn) error {
	from := s.steps.forPlan(string(d.Stack), d.Account)
	sizes, err := listed(ctx, from, "sizes", c.Sizes)
	if err != nil {
		return err
	}
	for _, r := range d.building.Spec.Resources {
		if err := s.isSold(ctx, from, c, &d.building, r, sizes); err != nil {
			return err
		}
	}
	if err := readKeys(ctx, from, c, d); err != nil {
		return err
	}
	room, err := roomFor(ctx, from, c, d.building.Spec)
	if err != nil {
		return err
	}
	for what, share := range map[string]Share{"droplets of the account": room.Droplets, "volumes of the account": room.Volumes, "reserved IPs of the account": room.ReservedIPs} {
		if share.Needs > 0 {
			d.Room[what] = share.String()
		}
	}
	if short := room.short(); short != "" {
		return fault.New(fault.Unprocessable, "%s", short)
	}
	if err := namesAreFree(ctx, from, c, d.building.Spec, room.volumes); err != nil {
		return err
	}
	if err := recordsAreFree(ctx, from, c, d.building.of(blueprint.RecordKind)); err != nil {
		return err
	}
	for _, r := range d.building.Spec.Resources {
		change := Change{Action: "create", Key: r.ID, Kind: string(r.Kind), Name: r.Name, Detail: detailOf(r), Size: sizeOf(r)}
		if r.Kind == blueprint.ProjectKind {
			if err := s.findProject(ctx, from, c, r, d); err != nil {
				return err
			}
			continue
		}
		monthly, known, err := monthlyOf(r, sizes, time.Now())
		if err != nil {
			return err
		}
		if !known {
			d.Unpriced = append(d.Unpriced, r.ID)
		} else {
			change.Monthly = &monthly
			d.After += monthly
		}
		d.Changes = append(d.Changes, change)
	}
	return nil
}

func (s *Service) findProject(ctx context.Context, from reading, c *digitalocean.Client, r blueprint.Resource, d *drawn) error {
	projects, err := listed(ctx, from, "projects", c.Projects)
	if err != nil {
		return err
	}
	for _, one := range projects {
		if one.Name == r.Name {
			d.building.Project, d.Read["project "+r.Name] = one.ID, one.ID
			return nil
		}
	}
	return fault.New(fault.NotFound, "The account has no project %q, which the blueprint names. Create it first.", r.Name)
}

// recordsAreFree answers fault.Conflict where something stands at a name already: a
// second record of it would send a part of its visitors elsewhere. All are in one
// domain, which is read once.
func recordsAreFree(ctx context.Context, from reading, c *digitalocean.Client, wanted []blueprint.Resource) error {
	if len(wanted) == 0 {
		return nil
	}
	domain := wanted[0].Record.Domain
	records, err := listed(ctx, from, "records of "+domain, func(ctx context.Context) (digitalocean.List[digitalocean.Record], error) {
		return c.Records(ctx, domain)
	})
	if err != nil {
		return fault.Wrap(fault.KindOf(err), err, "The records of %s cannot be read: %s", domain, fault.Message(err))
	}
	for _, r := range wanted {
		if err := clash(r.Record, records); err != nil {
			return err
		}
	}
	return nil
}

// clash answers fault.Conflict where a record stands at another's name.
func clash(wanted *blueprint.RecordSpec, there []digitalocean.Record) error {
	for _, one := range there {
		if one.Name == wanted.Name && (one.Type == wanted.Type || one.Type == "CNAME" || wanted.Type == "CNAME") {
			return fault.New(fault.Conflict, "%s has a record %s %s already (%d, %s). Delete it, or give the stack another name in DNS.",
				wanted.Domain, one.Type, one.Name, one.ID, one.Data)
		}
	}
	return nil
}

// detailOf says what a resource is in a few words.
func detailOf(r blueprint.Resource) string {
	switch {
	case r.Droplet != nil:
		return strings.Join([]string{r.Droplet.Size, r.Droplet.Region, r.Droplet.Image}, ", ")
	case r.Volume != nil:
		return fmt.Sprintf("%d GiB, %s", r.Volume.SizeGiB, r.Volume.Region)
	case r.VPC != nil:
		return r.VPC.Region
	case r.ReservedIP != nil:
		return "for " + r.ReservedIP.Droplet
	case r.Firewall != nil:
		return fmt.Sprintf("rules: %d in, %d out, for %s", len(r.Firewall.Inbound), len(r.Firewall.Outbound), strings.Join(r.Firewall.Droplets, ", "))
	case r.Snapshot != nil:
		return "of " + r.Snapshot.Of
	case r.Record != nil:
		return fmt.Sprintf("%s %s.%s → %s", r.Record.Type, r.Record.Name, r.Record.Domain, r.Record.Data.Words())
	}
	return ""
}

// sizeOf is a resource's size as the inventory says it; empty for what has none.
func sizeOf(r blueprint.Resource) string {
	switch {
	case r.Droplet != nil:
		return r.Droplet.Size
	case r.Volume != nil:
		return fmt.Sprintf("%d GiB", r.Volume.SizeGiB)
	}
	return ""
}

// monthlyOf is what a resource costs in a whole month, in micro-dollars, by the prices
// of its size as DigitalOcean lists it, or by the price book. known is false where
// neither has one.
func monthlyOf(r blueprint.Resource, sizes []digitalocean.Size, at time.Time) (micros int64, known bool, err error) {
	document := map[string]any{}
	var kind string
	switch {
	case r.Droplet != nil:
		kind = "droplet"
		for _, size := range sizes {
			if size.Slug == r.Droplet.Size {
				document["size"] = map[string]any{"slug": size.Slug, "price_monthly": json.Number(size.PriceMonthly)}
				known = true
			}
		}
		if !known {
			return 0, false, fault.New(fault.Invalid, "DigitalOcean sells no size %s.", r.Droplet.Size)
		}
		document["size_slug"] = r.Droplet.Size
		if r.Droplet.Backups != nil {
			document["features"] = []string{"backups"}
		}
	case r.Volume != nil:
		kind, document = "volume", map[string]any{"size_gigabytes": r.Volume.SizeGiB}
	case r.Snapshot != nil:
		kind, document = "snapshot", map[string]any{"size_gigabytes": json.Number(r.Snapshot.SizeGB)}
	case r.ReservedIP != nil:
		kind, document = "reserved_ip", map[string]any{"ip": "192.0.2.1", "droplet": map[string]any{"id": 1}}
	default:
		return 0, true, nil // it is free
	}
	return inventory.MonthlyOf(kind, document, at)
}

// creates are the requests that make the stack, by step.
func (d *drawn) creates() map[string][]string {
	calls := map[string][]string{}
	for _, one := range builds {
		for range d.building.of(one.kind) {
			calls[one.make] = append(calls[one.make], one.call)
		}
	}
	for range d.building.of(blueprint.ProjectKind) {
		calls[joinProjectStep] = append(calls[joinProjectStep], "POST /v2/projects/{id}/resources")
	}
	drawGate(d.building.Spec, calls)
	return calls
}

// ApplyPlan starts the saga of a plan, if everything that was read for it is as it was.
// It answers fault.Conflict for a stale plan, and says what changed; for one that was
// applied already; and where another saga has the stack.
func (s *Service) ApplyPlan(ctx context.Context, of PlanID, actor string, at time.Time) (p Plan, started saga.Saga, err error) {
	p, asked, err := readPlan(ctx, s.db.Read(), of)
	if err != nil {
		return p, started, err
	}
	if p.Saga != "" {
		return p, started, fault.New(fault.Conflict, "Plan %s was applied already, by %s: saga %s.", p.ID, p.AppliedBy, p.Saga)
	}
	var r PlanRequest
	if err := json.Unmarshal(asked, &r); err != nil {
		return p, started, err
	}
	now, err := s.draw(ctx, r)
	if err != nil {
		return p, started, fault.Wrap(fault.KindOf(err), err, "Plan %s cannot be applied any more: %s", p.ID, fault.Message(err))
	}
	if err := p.stale(now.Plan); err != nil {
		return p, started, err
	}
	if err := s.Frozen(ctx, p.Account, p.Tenant); err != nil {
		return p, started, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) (err error) {
		started, err = s.applyTx(ctx, tx, p, now, actor, at)
		return err
	})
	if err != nil {
		return p, saga.Saga{}, err
	}
	p, err = s.Plan(ctx, of)
	return p, started, err
}

func (s *Service) applyTx(ctx context.Context, tx *sql.Tx, p Plan, now drawn, actor string, at time.Time) (started saga.Saga, err error) {
	o, err := OperationOf(p.Verb)
	if err != nil {
		return started, err
	}
	kind := o.Kind
	if now.kind != "" {
		kind = now.kind
	}
	request := saga.Request{Kind: kind, Input: now.input(p.ID), Tenant: string(p.Tenant), RequestedBy: actor}
	if started, _, err = s.engine.StartTx(ctx, tx, request); err != nil {
		if fault.KindOf(err) == fault.Conflict { // what is under way leaves the stack another than the plan found it
			err = fault.Wrap(fault.Conflict, err, "Plan %s was not applied: %s Then make a new plan.", p.ID, fault.Message(err))
		}
		return started, err
	}
	begin := now.begin
	if begin == nil {
		begin = func(ctx context.Context, tx *sql.Tx, of saga.ID, at time.Time) error {
			return s.moveStack(ctx, tx, now.stack, of, at)
		}
	}
	if err := begin(ctx, tx, started.ID, at); err != nil {
		return started, err
	}
	return started, markApplied(ctx, tx, p.ID, actor, started.ID, at)
}

// beginStack writes the row of a stack that is about to be made.
func (s *Service) beginStack(ctx context.Context, tx *sql.Tx, now *drawn, of saga.ID, at time.Time) error {
	if err := s.nameIsFree(ctx, tx, now.owner, now.Name); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE stacks SET state = 'failed', rev = rev + 1, updated_at = $1 WHERE tenant_id = $2 AND name = $3 AND state = 'new'`,
		db.Micros(at), string(now.Tenant), now.Name); err != nil {
		return err
	}
	if err := useBlueprint(ctx, tx, now.draft, at); err != nil {
		return err
	}
	values := map[string]string{}
	for name, setting := range now.building.Spec.Parameters {
		values[name] = setting.Value
	}
	return insertStack(ctx, tx, Stack{
		ID: now.Stack, Tenant: now.Tenant, Account: now.Account, Name: now.Name, State: StackNew, Blueprint: now.draft.Ref(), Parameters: values,
		Spec: now.building.Spec, Saga: of, CreatedAt: at, UpdatedAt: at,
	})
}

// moveStack notes that a saga is at work on a stack. It answers fault.Conflict where the
// stack is not as the plan found it.
func (s *Service) moveStack(ctx context.Context, tx *sql.Tx, stack Stack, of saga.ID, at time.Time) error {
	res, err := tx.ExecContext(ctx, `UPDATE stacks SET saga_id = $1, rev = rev + 1, updated_at = $2 WHERE id = $3 AND rev = $4`,
		string(of), db.Micros(at), string(stack.ID), stack.Rev)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fault.New(fault.Conflict, "Stack %s changed meanwhile. Make a new plan.", stack.Name)
	}
	return nil
}
