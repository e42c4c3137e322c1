package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/money"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

type subscriptionCommand struct {
	List    subscriptionListCommand    `cmd:"" help:"List subscriptions."`
	Show    subscriptionShowCommand    `cmd:"" help:"Show a subscription with its changes."`
	Create  subscriptionCreateCommand  `cmd:"" help:"Subscribe a customer to a plan."`
	Import  importCommand              `cmd:"" help:"Subscribe customers from CSV; what becomes of each line is shown first."`
	Change  subscriptionChangeCommand  `cmd:"" help:"Change plan or quantity: upgrade, downgrade."`
	Migrate subscriptionMigrateCommand `cmd:"" help:"Give everybody who has a version of a plan another; what it comes to is shown first."`
	Add     subscriptionAddCommand     `cmd:"" help:"Add an item beside those there are."`
	Coupon  subscriptionCouponCommand  `cmd:"" help:"Have a coupon join a subscription, or leave it."`
	Suspend subscriptionSuspendCommand `cmd:"" help:"Suspend all items: what is suspended costs nothing, unless its plan says so."`
	Resume  subscriptionResumeCommand  `cmd:"" help:"End a suspension."`
	Cancel  subscriptionCancelCommand  `cmd:"" help:"Cancel an item, or all."`
}

type subscriptionListCommand struct {
	Tenant string `arg:"" optional:"" help:"Only this tenant's."`
}

// Run lists subscriptions.
func (c *subscriptionListCommand) Run(ctx context.Context, r *runner) error {
	list, err := fetch(ctx, r, func(cl *client.Client) (client.List[client.Subscription], error) {
		return cl.Subscriptions(ctx, c.Tenant)
	})
	if err != nil {
		return err
	}
	return listing(r, list, list.Items,
		"There are no subscriptions. Make one with: arcadia subscription create TENANT PLAN@VERSION",
		"SUBSCRIPTION|TENANT|IN SERVICE|CURRENCY|SINCE", func(s client.Subscription) []string {
			return []string{s.ID, s.Tenant, itemsText(s.Items), s.Currency, period.DayIn(s.StartedAt.Time, s.Zone)}
		})
}

func itemsText(items []client.SubscriptionItem) string {
	var all []string
	for _, i := range items {
		text := i.Plan
		if i.Quantity != "1" {
			text = i.Quantity + " × " + text
		}
		if i.Item != "main" {
			text = i.Item + ": " + text
		}
		all = append(all, text)
	}
	if all == nil {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

type subscriptionRef struct {
	Subscription string `arg:"" help:"Its id, sub_…"`
}

type subscriptionShowCommand struct{ subscriptionRef }

// Run shows a subscription.
func (c *subscriptionShowCommand) Run(ctx context.Context, r *runner) error {
	s, err := fetch(ctx, r, func(cl *client.Client) (client.Subscription, error) { return cl.Subscription(ctx, c.Subscription) })
	switch {
	case err != nil:
		return err
	case r.json:
		return r.print(s)
	}
	return r.showSubscription(s)
}

func (r *runner) showSubscription(s client.Subscription) error {
	r.say("%s of %s: %s", s.ID, s.Tenant, itemsText(s.Items))
	r.say("In %s, by the days of %s.", s.Currency, s.Zone)
	if len(s.Taxes)+len(s.Coupons) > 0 {
		r.say("Taxes: %s. Coupons: %s.", orDash(strings.Join(s.Taxes, ", ")), orDash(strings.Join(s.Coupons, ", ")))
	}
	r.say("")
	for _, x := range s.Suspensions {
		until := "it is resumed"
		if x.Until != nil {
			until = clockIn(*x.Until, s.Zone)
		}
		r.say("Suspended from %s until %s.", clockIn(x.From, s.Zone), until)
	}
	at := func(t client.Time) string { return period.In(t.Time, s.Zone).Format("2006-01-02 15:04") }
	for _, m := range s.Amendments {
		what := map[string]string{"taxes": "Taxes are", "coupon": "The coupon joins:", "no_coupon": "The coupon leaves:"}[m.Type]
		r.say("%s %s from %s on, by %s%s.", what, orDash(strings.Join(m.IDs, ", ")), at(m.EffectiveAt), m.Actor, reasonText(m.Reason))
	}
	rows := [][]string{}
	for _, c := range s.Changes {
		plan := "–"
		if c.Type == "suspension" {
			plan, c.Quantity = "until it is resumed", "–"
			if c.UntilAt != nil {
				plan = "until " + at(*c.UntilAt)
			}
		}
		if c.Plan != nil {
			plan = *c.Plan
		}
		rows = append(rows, []string{at(c.EffectiveAt), c.Type, orDash(c.Item), plan, c.Quantity, at(c.EnteredAt),
			c.Actor, orDash(c.Reason)})
	}
	return table(r.Out, "FROM|CHANGE|ITEM|PLAN|QUANTITY|ENTERED|BY|REASON", rows)
}

// reasonText is a reason as it follows a sentence.
func reasonText(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// changeFlags are said of every change.
type changeFlags struct {
	Reason string `help:"Why, for the record."`
	DryRun bool   `short:"n" help:"Only show what would be billed."`
	Yes    bool   `short:"y" help:"Do not ask."`
}

type subscriptionCreateCommand struct {
	tenantRef
	Plan      string   `arg:"" help:"A plan that is offered, as id@version."`
	Quantity  string   `help:"How many; left away: 1."`
	From      string   `placeholder:"TIME" help:"A date or an instant, also a past one; left away: now."`
	AnchorDay int      `placeholder:"DAY" help:"On which day of the month its periods begin."`
	Tax       []string `help:"Taxes instead of the customer's."`
	Coupon    []string `help:"Coupons, in the order in which they apply."`
	changeFlags
}

// Run subscribes a customer.
func (c *subscriptionCreateCommand) Run(ctx context.Context, r *runner) error {
	return r.subscribe(ctx, c.changeFlags, fmt.Sprintf("Subscribe %s to %s?", c.Tenant, c.Plan), func(cl *client.Client, dry bool) (client.Subscribed, error) {
		return cl.Subscribe(ctx, client.SubscriptionOrder{Tenant: c.Tenant, Plan: c.Plan, Quantity: c.Quantity, From: c.From, AnchorDay: c.AnchorDay, Taxes: c.Tax,
			Coupons: c.Coupon, Reason: c.Reason, DryRun: dry})
	})
}

type subscriptionChangeCommand struct {
	subscriptionRef
	Plan      string `help:"Another plan, as id@version."`
	Quantity  string `help:"Another number of it."`
	Item      string `default:"main" help:"Of which item."`
	When      string `default:"now" placeholder:"WHEN" help:"now, period_end, or a date or an instant."`
	Supersede bool   `help:"Change it also where the item has a later change, as a cancellation to come, which is undone."`
	changeFlags
}

// Run changes a plan or a quantity.
func (c *subscriptionChangeCommand) Run(ctx context.Context, r *runner) error {
	return r.change(ctx, c.Subscription, c.changeFlags, fmt.Sprintf("Change %s of %s (%s)?", c.Item, c.Subscription, c.When),
		client.ChangeOrder{Type: "change", Item: c.Item, Plan: c.Plan, Quantity: c.Quantity, When: c.When,
			Supersede: c.Supersede})
}

type subscriptionAddCommand struct {
	subscriptionRef
	Item      string `arg:"" help:"A name for the item."`
	Plan      string `arg:"" help:"Its plan, as id@version."`
	Quantity  string `help:"How many; left away: 1."`
	When      string `default:"now" placeholder:"WHEN" help:"now, or a date or an instant."`
	Supersede bool   `help:"Change it also where the item has a later change, as a cancellation to come, which is undone."`
	changeFlags
}

// Run adds an item.
func (c *subscriptionAddCommand) Run(ctx context.Context, r *runner) error {
	return r.change(ctx, c.Subscription, c.changeFlags, fmt.Sprintf("Add %s to %s (%s)?", c.Item, c.Subscription, c.When),
		client.ChangeOrder{Type: "add", Item: c.Item, Plan: c.Plan, Quantity: c.Quantity, When: c.When,
			Supersede: c.Supersede})
}

type subscriptionCancelCommand struct {
	subscriptionRef
	Item string `help:"Only this item."`
	When string `default:"period_end" placeholder:"WHEN" help:"period_end, now, or a date or an instant."`
	changeFlags
}

// Run cancels, once somebody has said that it is meant.
func (c *subscriptionCancelCommand) Run(ctx context.Context, r *runner) error {
	return r.change(ctx, c.Subscription, c.changeFlags, fmt.Sprintf("Cancel %s (%s)?", c.Subscription, c.When),
		client.ChangeOrder{Type: "cancel", Item: c.Item, When: c.When})
}

type subscriptionCouponCommand struct {
	subscriptionRef
	Coupon string `arg:"" help:"A coupon of the catalog."`
	Remove bool   `help:"It leaves: what is issued from then on has no discount by it."`
	When   string `default:"now" placeholder:"WHEN" help:"now, period_end, or a date or an instant to come."`
	changeFlags
}

// Run has a coupon join, or leave.
func (c *subscriptionCouponCommand) Run(ctx context.Context, r *runner) error {
	order := client.ChangeOrder{Type: "coupon", Coupon: c.Coupon, When: c.When}
	question := fmt.Sprintf("Have %s join %s (%s)?", c.Coupon, c.Subscription, c.When)
	if c.Remove {
		order.Type, question = "no_coupon", fmt.Sprintf("Have %s leave %s (%s)?", c.Coupon, c.Subscription, c.When)
	}
	return r.change(ctx, c.Subscription, c.changeFlags, question, order)
}

type subscriptionSuspendCommand struct {
	subscriptionRef
	When  string `default:"now" placeholder:"WHEN" help:"now, or a date or an instant, also a past one."`
	Until string `placeholder:"TIME" help:"A date or an instant; left away: until it is resumed."`
	changeFlags
}

// Run suspends.
func (c *subscriptionSuspendCommand) Run(ctx context.Context, r *runner) error {
	return r.change(ctx, c.Subscription, c.changeFlags, fmt.Sprintf("Suspend %s (%s)?", c.Subscription, c.When),
		client.ChangeOrder{Type: "suspend", When: c.When, Until: c.Until})
}

type subscriptionResumeCommand struct {
	subscriptionRef
	When string `default:"now" placeholder:"WHEN" help:"now, or a date or an instant, also a past one."`
	changeFlags
}

// Run resumes.
func (c *subscriptionResumeCommand) Run(ctx context.Context, r *runner) error {
	return r.change(ctx, c.Subscription, c.changeFlags, fmt.Sprintf("Resume %s (%s)?", c.Subscription, c.When),
		client.ChangeOrder{Type: "resume", When: c.When})
}

func (r *runner) change(ctx context.Context, id string, f changeFlags, question string, o client.ChangeOrder) error {
	o.Reason = f.Reason
	return r.subscribe(ctx, f, question, func(cl *client.Client, dry bool) (client.Subscribed, error) {
		o.DryRun = dry
		return cl.ChangeSubscription(ctx, id, o)
	})
}

// subscribe shows a change with what is due then, asks, and does it.
func (r *runner) subscribe(ctx context.Context, f changeFlags, question string, ask func(cl *client.Client, dry bool) (client.Subscribed, error)) error {
	would, err := fetch(ctx, r, func(cl *client.Client) (client.Subscribed, error) { return ask(cl, true) })
	if err != nil {
		return err
	}
	if f.DryRun || !f.Yes && !r.json {
		if err := r.showSubscribed(would); err != nil || f.DryRun {
			return err
		}
		r.say("")
	}
	if err := r.confirm(f.Yes, "%s", question); err != nil {
		return err
	}
	done, err := send(ctx, r, func(cl *client.Client) (client.Subscribed, error) { return ask(cl, false) })
	if err != nil {
		return err
	}
	return r.showSubscribed(done)
}

// showSubscribed shows a subscription as it was, or would be, changed.
func (r *runner) showSubscribed(done client.Subscribed) error {
	if r.json {
		return r.print(done)
	}
	if done.DryRun {
		r.say("Nothing was changed. It would be so:\n")
	}
	if err := r.showSubscription(done.Subscription); err != nil {
		return err
	}
	if len(done.Due) == 0 {
		r.say("\nNothing is due next.")
		return nil
	}
	r.say("\nDue next:")
	rows := [][]string{}
	for _, d := range done.Due {
		rows = append(rows, documentRow(d, done.Subscription.Zone))
	}
	return table(r.Out, "ISSUE|DOCUMENT|PERIOD|LINES|TOTAL|DUE", rows)
}

func documentRow(d client.Document, zone string) []string {
	amount := func(minor int64) string { return money.New(minor, money.Currency(d.Currency)).String() }
	return []string{clockIn(d.IssueAt, zone), purposeText(d.Purpose), period.DaysIn(d.Period.From.Time, d.Period.To.Time, zone), fmt.Sprint(len(d.Lines)),
		amount(d.Total), amount(d.Due)}
}

func purposeText(purpose string) string {
	switch purpose {
	case "credit_note":
		return "credit note"
	case "advance":
		return "invoice in advance"
	}
	return "invoice in arrears"
}
