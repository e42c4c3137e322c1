package provisioning

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

var adoptOperation = Operation{
	Verb: Adopt, Kind: AdoptStackKind, Help: "Make a stack of what exists: it is tagged, and nothing else of it is changed.",
	Options: []Option{
		{Name: "take", Type: TextOption, Most: 4000, Help: "Which thing a resource is, like droplet.web=do:droplet:1, with commas between; what is not named is found."},
		{Name: "reuse_name", Type: SwitchOption, Default: "false", Help: "Take a name that is held since its stack was torn down."},
	},
	draw: (*Service).drawAdopt,
}

func (s *Service) drawAdopt(ctx context.Context, r PlanRequest, d *drawn) error {
	named, err := parseTake(r.Options["take"])
	if err != nil {
		return err
	}
	if err := s.drawNew(ctx, r, d); err != nil {
		return err
	}
	c, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	want := d.building.Spec
	e, err := readEstate(ctx, c, want)
	if err != nil {
		return err
	}
	stacks, err := s.stacksOf(ctx, s.db.Read())
	if err != nil {
		return err
	}
	m := match{spec: want, tenant: Owner{Tenant: d.owner.ID, Slug: d.owner.Slug}, named: named}
	if s.steps.set.Whose != nil {
		if m.whose, err = s.steps.set.Whose(ctx, d.Account); err != nil {
			return err
		}
	}
	m.find(d.Account, &e)
	m.judge(d.Account, &e, stacks)
	if err := m.err(); err != nil {
		return err
	}
	is := observed(want, m.is, &e)
	if err := s.describe(ctx, d, is, &m); err != nil {
		return err
	}
	takeOver(d, is)
	calls := map[string][]string{}
	for range d.building.marks(func(blueprint.Resource) string { return "" }) {
		calls[createTagsStep] = append(calls[createTagsStep], "POST /v2/tags")
		calls[putTagsStep] = append(calls[putTagsStep], "POST /v2/tags/{tag}/resources")
	}
	d.Steps = planned(s.steps.adoptStack(), calls)
	d.input = func(of PlanID) any {
		d.building.Plan = of
		return Adoption{Building: d.building}
	}
	d.begin = func(ctx context.Context, tx *sql.Tx, of saga.ID, at time.Time) error {
		taken, err := s.stacksOf(ctx, tx)
		if err != nil {
			return err
		}
		for _, c := range d.Changes {
			if of := taken[c.URN]; of != "" {
				return fault.New(fault.Conflict, "%s belongs to stack %s by now.", c.URN, of)
			}
			if c.Action != "adopt" {
				continue
			}
			if err := unmark(ctx, tx, c.URN, fmt.Sprintf("Stack %s adopts it.", d.Name), at); err != nil {
				return err
			}
		}
		return s.beginStack(ctx, tx, d, of, at)
	}
	return nil
}

// parseTake reads "droplet.web=do:droplet:1,volume.data=…".
func parseTake(text string) (map[string]string, error) {
	named := map[string]string{}
	for one := range strings.SplitSeq(text, ",") {
		if one = strings.TrimSpace(one); one == "" {
			continue
		}
		key, urn, ok := strings.Cut(one, "=")
		if key, urn = strings.TrimSpace(key), strings.TrimSpace(urn); !ok || key == "" || urn == "" {
			return nil, fault.New(fault.Invalid, "`take` is like droplet.web=do:droplet:1, not %q.", clip(one))
		}
		if named[key] != "" {
			return nil, fault.New(fault.Invalid, "`take` names %s twice.", clip(key))
		}
		named[key] = urn
	}
	return named, nil
}

// stacksOf names the stack of each resource that is one's, by URN.
func (s *Service) stacksOf(ctx context.Context, q db.Queryer) (map[string]string, error) {
	of := map[string]string{}
	err := db.Each(ctx, q, func(rows *sql.Rows) error {
		var urn, name, id string
		err := rows.Scan(&urn, &name, &id)
		of[urn] = name + " (" + id + ")"
		return err
	}, `SELECT r.urn, s.name, s.id FROM stack_resources r JOIN stacks s ON s.id = r.stack_id`)
	return of, err
}

// describe puts into the plan what each resource is, and in what it differs.
func (s *Service) describe(ctx context.Context, d *drawn, is blueprint.Spec, m *match) error {
	c, err := s.steps.cloud(ctx, d.Account)
	if err != nil {
		return err
	}
	sizes, err := c.Sizes(ctx)
	if err != nil {
		return err
	}
	nothing := int64(0)
	fields := map[string][]blueprint.FieldChange{}
	for _, r := range blueprint.Compare(is, m.spec).Resources {
		if r.Action == blueprint.Change {
			fields[r.ID] = r.Fields
		}
	}
	for _, r := range is.Resources {
		monthly, known, err := monthlyOf(r, sizes.Items, time.Now())
		if err != nil || !known { // what is there may be of a size that is sold no more
			d.Unpriced = append(d.Unpriced, r.ID)
		} else {
			d.Before += monthly
			d.After += monthly
		}
		if r.Kind == blueprint.TagKind {
			d.Changes = append(d.Changes, Change{Action: "create", Key: r.ID, Kind: string(r.Kind), Name: r.Name, Monthly: &nothing})
			continue
		}
		urn := resourceURN(d.Account, r, m.is[r.ID].id)
		d.Changes = append(d.Changes, Change{
			Action: "adopt", Key: r.ID, Kind: string(r.Kind), Name: r.Name, URN: urn, Monthly: &nothing, Detail: differs(r.Kind, fields[r.ID]),
		})
		d.Read[r.ID] = urn + " " + strings.TrimSpace(r.Name+" "+detailOf(r)) + fmt.Sprintf(" (%.8s)", blueprint.Spec{Resources: []blueprint.Resource{r}}.Hash())
		d.building.made(r.ID).ID = m.is[r.ID].id
	}
	for _, r := range m.spec.Resources {
		switch {
		case r.Kind == blueprint.ProjectKind:
			d.Warnings = append(d.Warnings, fmt.Sprintf("The blueprint puts things into project %s. Where they are now they stay.", r.Name))
		case r.Droplet != nil && r.Droplet.UserData != nil:
			d.Warnings = append(d.Warnings, fmt.Sprintf("What the blueprint has %s run when it first starts is not run.", r.ID))
		}
	}
	return nil
}

// differs says in which fields what is there is not as the blueprint has it. fields go
// from the one to the other.
func differs(kind blueprint.Kind, fields []blueprint.FieldChange) string {
	var over, drift []string
	for _, f := range fields {
		words := fmt.Sprintf("%s is %s, not %s", f.Field, shown(f.From), shown(f.To))
		if remains(kind) && f.Field != "name" {
			drift = append(drift, words)
		} else {
			over = append(over, words)
		}
	}
	var parts []string
	if slices.Contains(tagged, kind) {
		parts = append(parts, "gets two tags")
	}
	if len(over) > 0 {
		parts = append(parts, "the record takes over: "+strings.Join(over, ", "))
	}
	if len(drift) > 0 {
		parts = append(parts, "stays another than the blueprint: "+strings.Join(drift, ", "))
	}
	if len(fields) == 0 {
		parts = append(parts, "as the blueprint has it")
	}
	return strings.Join(parts, "; ")
}

// remains reports whether what a thing of a kind says is another than the blueprint goes
// on being a difference: it can be changed at any time, and nothing stops for it.
func remains(kind blueprint.Kind) bool {
	return kind == blueprint.FirewallKind || kind == blueprint.RecordKind
}

// takeOver has the stack's record say what is there, but for what remains a difference.
func takeOver(d *drawn, is blueprint.Spec) {
	want := d.building.Spec
	for i, r := range is.Resources {
		wanted, _ := want.Resource(r.ID)
		if remains(r.Kind) {
			wanted.Name, wanted.DependsOn = r.Name, r.DependsOn
			is.Resources[i] = wanted
		}
	}
	d.building.Spec = is
}
