package provisioning

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// An Operation is what can be done with stacks: planned, and then applied as a saga.
type Operation struct {
	Verb    Verb
	Kind    string       // of its saga
	Help    string       // a sentence
	From    []StackState // in which a stack may be; none for what makes one
	Options []Option

	// draw reads everything anew and works the plan out. For an operation on a stack d
	// has the stack, whose it is and what it has already.
	draw func(s *Service, ctx context.Context, r PlanRequest, d *drawn) error

	// sweep looks for what a saga with lost answers left behind; nil: its ledger names
	// everything.
	sweep func(s *Service, ctx context.Context, w saga.Sweep) error
}

// An Option is what an operation may be told besides. Where a fault names one it does so
// between backticks: surfaces put in its place what they call it (wire.NameOptions).
type Option struct {
	Name    string
	Type    OptionType
	Choices []string // of a choice; "" among them is not to choose
	Default string
	Most    int    // bytes of a text; 0: 200
	Help    string // a sentence
}

// An OptionType is what an option's value is.
type OptionType string

// The types of options.
const (
	TextOption   OptionType = "text"
	NumberOption OptionType = "number" // whole, not negative
	SwitchOption OptionType = "switch" // true or false
	ChoiceOption OptionType = "choice"
)

// operations are all that can be done with stacks, in the order in which people are
// offered them. What each does is in the file of its saga.
var operations = []Operation{
	provisionOperation,
	adoptOperation,
	backupOperation,
	restoreOperation,
	pruneOperation,
	drillOperation,
	repairOperation,
	absorbOperation,
	resizeOperation,
	rebuildOperation,
	suspendOperation,
	resumeOperation,
	releaseOperation,
	teardownOperation,
}

// offStacks is what is planned and applied as operations on stacks are, and is about an
// account.
var offStacks = []Operation{cleanupOperation}

// Operations are all that can be done with stacks.
func Operations() []Operation { return operations }

// OperationOf is a verb's operation, those that are about no stack among them. It answers
// fault.Invalid for a verb that there is not.
func OperationOf(v Verb) (Operation, error) {
	var words []string
	for _, one := range slices.Concat(operations, offStacks) {
		if one.Verb == v {
			return one, nil
		}
		words = append(words, string(one.Verb))
	}
	return Operation{}, fault.New(fault.Invalid, "There is no verb %q for a stack. There are: %s.", clip(string(v)), strings.Join(words, ", "))
}

// check answers fault.Invalid for an option that the operation has not, or a value that
// the option cannot have, and fills in defaults.
func (o Operation) check(given map[string]string) (map[string]string, error) {
	values := map[string]string{}
	for _, one := range o.Options {
		value, ok := given[one.Name]
		if !ok {
			value = one.Default
		}
		if err := one.check(value); err != nil {
			return nil, err
		}
		values[one.Name] = value
	}
	for name := range given {
		if _, ok := values[name]; !ok {
			return nil, fault.New(fault.Invalid, "To %s a stack takes no option %q.", o.Verb, clip(name))
		}
	}
	return values, nil
}

func (o Option) check(value string) error {
	wrong := ""
	switch o.Type {
	case NumberOption:
		if _, err := strconv.ParseUint(value, 10, 31); err != nil && value != "" {
			wrong = "a whole number"
		}
	case SwitchOption:
		if value != "" && value != "true" && value != "false" {
			wrong = "true or false"
		}
	case ChoiceOption:
		if !slices.Contains(o.Choices, value) {
			wrong = "one of " + strings.Join(o.Choices, ", ")
		}
	case TextOption:
		if most := cmp.Or(o.Most, 200); len(value) > most {
			wrong = fmt.Sprintf("at most %d bytes", most)
		}
	}
	if wrong != "" {
		return fault.New(fault.Invalid, "`%s` is %s, not %q.", o.Name, wrong, clip(value))
	}
	return nil
}

// onStack finds the stack that an operation is for, and begins its plan: with whose it
// is, in which state, and all that it has.
func (s *Service) onStack(ctx context.Context, o Operation, r PlanRequest) (d drawn, err error) {
	if d.stack, err = s.Stack(ctx, r.Stack); err != nil {
		return d, err
	}
	if !slices.Contains(o.From, d.stack.State) {
		var words []string
		for _, state := range o.From {
			words = append(words, string(state))
		}
		return d, fault.New(fault.Conflict, "Stack %s is %s, and %s needs one that is %s.%s", d.stack.Name, d.stack.State, o.Verb, strings.Join(words, " or "), o.wayOn(d.stack))
	}
	if d.owner, err = s.tenants.Tenant(ctx, string(d.stack.Tenant)); err != nil {
		return d, err
	}
	if d.has, err = s.StackResources(ctx, d.stack.ID); err != nil {
		return d, err
	}
	d.Plan = Plan{Verb: o.Verb, Stack: d.stack.ID, Name: d.stack.Name, Tenant: d.stack.Tenant, Account: d.stack.Account, Read: map[string]string{
		"tenant " + d.owner.Slug: string(d.owner.State), "revision of the stack": strconv.FormatInt(d.stack.Rev, 10),
	}}
	d.building = standing(d.stack, d.has)
	return d, nil
}

// wayOn says how a stack comes to where the operation can be done with it; empty: not at
// all, or it is there already.
func (o Operation) wayOn(is Stack) string {
	switch {
	case is.State == StackNew:
		return fmt.Sprintf(" Saga %[1]s makes it, or takes it back: arcadia saga show %[1]s", is.Saga)
	case is.State == StackSuspended && slices.Contains(o.From, StackActive):
		return " Resume it first: arcadia stack resume " + is.Name
	}
	return ""
}

// standing is a stack that is there as its sagas see it.
func standing(stack Stack, has []StackResource) Building {
	b := Building{Account: stack.Account, Tenant: string(stack.Tenant), Stack: stack.ID, Name: stack.Name, Spec: stack.Spec, Made: map[string]*Made{}}
	for _, one := range has {
		if r, ok := stack.Spec.Resource(one.Key); ok {
			b.Made[one.Key] = &Made{ID: resourceID(r, one.URN), Ready: true, By: one.MadeBy}
		}
	}
	return b
}

// resourceID is the id at DigitalOcean of a resource by its URN.
func resourceID(r blueprint.Resource, urn string) string {
	if r.Kind == blueprint.TagKind {
		return r.Name
	}
	return urn[strings.LastIndexAny(urn, ":/")+1:]
}

// settleStack says, in the transaction of a saga's last step, where a stack stands and
// what it has: all of Made that has an id and was not deleted.
func settleStack(ctx context.Context, tx *sql.Tx, s *Building, of saga.ID, state StackState, level int) error {
	res, err := tx.ExecContext(ctx, `UPDATE stacks SET state = $1, level = $2, spec = $3, rev = rev + 1, updated_at = $4 WHERE id = $5 AND saga_id = $6`,
		string(state), level, db.JSON[blueprint.Spec]{V: s.Spec}, db.Micros(time.Now()), string(s.Stack), string(of))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("stack %s is not saga %s's: %w", s.Stack, of, err)
	}
	for _, r := range s.Spec.Resources {
		m := s.Made[r.ID]
		if m == nil || m.ID == "" {
			continue
		}
		urn := resourceURN(s.Account, r, m.ID)
		if m.Deleted {
			_, err = tx.ExecContext(ctx, `DELETE FROM stack_resources WHERE stack_id = $1 AND key = $2`, string(s.Stack), r.ID)
		} else {
			_, err = tx.ExecContext(ctx, `INSERT INTO stack_resources (stack_id, key, kind, urn, name, made_by) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (stack_id, key) DO UPDATE SET urn = excluded.urn, name = excluded.name, made_by = excluded.made_by
				WHERE stack_resources.urn <> excluded.urn`,
				string(s.Stack), r.ID, string(r.Kind), urn, r.Name, string(of))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// namesIn are the words of an option that takes several, with commas or spaces between.
func namesIn(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}
