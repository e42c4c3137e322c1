package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
	"github.com/arcadia-cloud/arcadia/internal/wire"
)

// A findingList is what the page of findings shows.
type findingList struct {
	ui.Page
	table ui.Table
	rules []ui.Choice
	muted []ui.Choice
	any   bool // there are findings at all, muted ones too
	twins ui.Twin
}

// findingTitles are the rules for people.
var findingTitles = map[inventory.FindingRule]string{
	inventory.Unattributed: "Unattributed", inventory.UnattachedVolume: "Unattached volumes", inventory.UnassignedIP: "Unassigned addresses",
	inventory.OldSnapshot: "Old snapshots", inventory.OrphanSnapshot: "Orphaned snapshots", inventory.DropletOff: "Droplets off",
	inventory.ExpiringCert: "Certificates that expire", inventory.ExpiringToken: "Tokens that expire", inventory.NoBackup: "No backup",
	inventory.OpenFirewall: "Open to the world", inventory.NoFirewall: "No firewall", inventory.QuotaNearlyUsed: "Quota",
	inventory.Unpriced: "Without a price", inventory.ContradictedByRule: "Contradictions", inventory.BackupFailed: "Backups that failed",
	inventory.BackupOverdue: "Backups overdue", inventory.BackupLost: "Backups that are lost",
	inventory.DrillFailed: "Drills that failed",
}

func findingTitle(r inventory.FindingRule) string {
	if title, ok := findingTitles[r]; ok {
		return title
	}
	return ui.Upper(wire.Words(string(r)))
}

const mutedOnly = "only" // the filter for findings that are muted

// findings is the list of what is worth a look, the dearest first.
func (s *Server) findings(v *visit) error {
	ctx := v.r.Context()
	rule, muted := inventory.FindingRule(v.query.Get("rule")), v.query.Get("muted")
	switch {
	case rule != "" && !slices.Contains(inventory.FindingRules(), rule):
		return fault.New(fault.Invalid, "There is no rule of findings %q.", clip(string(rule)))
	case muted != "" && muted != mutedOnly:
		return fault.New(fault.Invalid, "Muted findings are shown alone or not at all, and not %q.", clip(muted))
	}
	follow, err := v.follow("Findings", "/findings", syncsTopic)
	if err != nil {
		return err
	}
	all, err := s.o.Inventory.Findings(ctx, inventory.FindingFilter{Muted: true, At: v.now.Time})
	if err != nil {
		return err
	}
	page := findingList{Page: follow, any: len(all) > 0}
	mine := slices.DeleteFunc(slices.Clone(all), func(f inventory.Finding) bool { return (f.Mute != nil) != (muted == mutedOnly) })
	shown := slices.DeleteFunc(slices.Clone(mine), func(f inventory.Finding) bool { return rule != "" && f.Rule != rule })
	if v.wants("csv") {
		return findingsCSV(v, shown)
	}
	total := len(shown)
	shown, next := afterFinding(shown, v.query.Get("cursor"))
	if v.wants("json") {
		body := findingsTwin{Items: make([]findingTwin, len(shown)), Next: wire.Text(next), Total: total}
		for i, f := range shown {
			body.Items[i] = twinOf(f)
		}
		return v.json(body)
	}
	page.rules = []ui.Choice{{Value: "", Text: "All", Count: int64(len(mine))}}
	for _, r := range inventory.FindingRules() {
		n := int64(0)
		for _, f := range mine {
			if f.Rule == r {
				n++
			}
		}
		if n > 0 || r == rule {
			page.rules = append(page.rules, ui.Choice{Value: string(r), Text: findingTitle(r), Count: n})
		}
	}
	quiet := int64(len(all) - len(mine))
	if muted == mutedOnly {
		quiet = int64(len(mine))
	}
	page.muted = []ui.Choice{{Value: "", Text: "To be heard", Count: int64(len(all)) - quiet}, {Value: mutedOnly, Text: "Muted", Count: quiet}}
	page.table = ui.Table{
		Caption: "Findings", Columns: findingColumns, Rows: findingRows(shown, v.now), Query: v.query, Total: int64(total), Unit: "findings", Next: next,
		CSV: v.query.With("cursor", "").At("/findings.csv").String(),
	}
	page.twins = ui.Twin{CLI: "arcadia inventory findings", API: "curl http://" + v.r.Host + "/v1/findings", JSON: v.twin("/findings", "json")}
	return v.show(http.StatusOK, findingListPage(page))
}

// afterFinding is the page of findings that comes after one.
func afterFinding(all []inventory.Finding, cursor string) (page []inventory.Finding, next string) {
	if i := slices.IndexFunc(all, func(f inventory.Finding) bool { return f.ID == cursor }); cursor != "" && i >= 0 {
		all = all[i+1:]
	}
	if len(all) <= listPage {
		return all, ""
	}
	return all[:listPage], all[listPage-1].ID
}

var findingColumns = []ui.Column{
	{Key: "finding", Title: "Finding", Phone: ui.PhoneTitle},
	{Key: "about", Title: "About"},
	{Key: "monthly", Title: "Money, a month", Number: true},
	{Key: "since", Title: "Since", Number: true, Phone: ui.PhoneHide},
	{Key: "mend", Title: "What mends it", Phone: ui.PhoneHide},
	{Key: "mute", Title: "Mute"},
}

func findingRows(all []inventory.Finding, now ui.Clock) []ui.Row {
	rows := make([]ui.Row, len(all))
	for i, f := range all {
		rows[i] = ui.Row{ID: f.ID, Cells: []templ.Component{
			findingSays(f), findingAbout(f), findingMoney(f), ui.Ago(f.Since, now), mend(f), muteCell(f),
		}}
	}
	return rows
}

// A findingsTwin is the list's JSON.
type findingsTwin struct {
	Items []findingTwin `json:"items"`
	Next  *string       `json:"next"`
	Total int           `json:"total"`
}

type findingTwin struct {
	ID      string    `json:"id"`
	Rule    string    `json:"rule"`
	URN     *string   `json:"urn"`
	Name    string    `json:"name"`
	Account string    `json:"account"`
	Since   string    `json:"since"`
	Monthly string    `json:"monthly"`
	Says    string    `json:"says"`
	Mend    string    `json:"mend"`
	Mute    *muteTwin `json:"mute"`
}

type muteTwin struct {
	Until  *string `json:"until"` // null: for good
	Reason string  `json:"reason"`
	Actor  string  `json:"actor"`
}

func twinOf(f inventory.Finding) findingTwin {
	t := findingTwin{f.ID, string(f.Rule), wire.Text(f.URN), f.Name, f.Account, stamp(f.Since), f.Monthly.String(), f.Says, f.Mend, nil}
	if f.Mute != nil {
		t.Mute = &muteTwin{wire.Text(stamp(f.Mute.Until)), f.Mute.Reason, f.Mute.Actor}
	}
	return t
}

func findingsCSV(v *visit, all []inventory.Finding) error {
	done := false
	return v.csv("findings", []string{"id", "rule", "urn", "name", "account", "since", "monthly", "says", "mend"}, func() ([][]string, error) {
		if done {
			return nil, nil
		}
		done = true
		rows := make([][]string, len(all))
		for i, f := range all {
			rows[i] = []string{f.ID, string(f.Rule), f.URN, f.Name, f.Account, stamp(f.Since), f.Monthly.String(), f.Says, f.Mend}
		}
		return rows, nil
	})
}

// snoozes are for how long a form mutes.
var snoozes = []struct {
	value, text string
	days        int // 0: for good
}{{"7", "For a week", 7}, {"1", "For a day", 1}, {"30", "For 30 days", 30}, {"90", "For 90 days", 90}, {"0", "For good", 0}}

// readFinding is the finding that the address names.
func (s *Server) readFinding(ctx context.Context, findingID string, at time.Time) (inventory.Finding, error) {
	all, err := s.o.Inventory.Findings(ctx, inventory.FindingFilter{Muted: true, At: at})
	if err != nil {
		return inventory.Finding{}, err
	}
	i := slices.IndexFunc(all, func(f inventory.Finding) bool { return f.ID == findingID })
	if i < 0 {
		return inventory.Finding{}, fault.New(fault.NotFound, "There is no finding %q. It may be mended by now.", clip(findingID))
	}
	return all[i], nil
}

func (s *Server) askMute(v *visit) error { return s.confirmMute(v, http.StatusOK, nil) }

func (s *Server) confirmMute(v *visit, status int, refusal error) error {
	f, err := s.readFinding(v.r.Context(), v.r.PathValue("id"), v.now.Time)
	if err != nil {
		return err
	}
	c := ui.Confirm{
		Title: "Mute the finding", About: f.Says, Back: "/findings", Action: "/findings/" + f.ID + "/mute", Key: formKey(v), Verb: "Mute", Hidden: url.Values{},
		ReasonRequired: true, Reason: v.r.PostFormValue("reason"), ReasonNote: "It is kept with the finding",
	}
	if f.Mute != nil {
		c.Title, c.Verb, c.NoReason, c.Action = "Hear of it again", "Unmute", true, "/findings/"+f.ID+"/unmute"
	}
	if refusal != nil {
		c.Refusal = v.problem(refusal).Detail
	}
	return v.show(status, mutePage(v.page(c.Title, "/findings"), c, f, v.r.PostFormValue("for")))
}

// mute mutes a finding, or has it be heard of again.
func (s *Server) mute(v *visit) error {
	if err := formError(v.r.ParseForm()); err != nil {
		return err
	}
	f, err := s.readFinding(v.r.Context(), v.r.PathValue("id"), v.now.Time)
	if err != nil {
		return err
	}
	did := "mute"
	err = s.sent.once(v.r.PostFormValue("key"), func() (err error) {
		if strings.HasSuffix(v.r.URL.Path, "/unmute") {
			did = "unmute"
			_, err = s.o.Inventory.Unmute(v.r.Context(), f.ID)
			return err
		}
		m := inventory.Mute{Reason: v.r.PostFormValue("reason"), Actor: actor, At: v.now.Time}
		known := false
		for _, z := range snoozes {
			if known = z.value == v.r.PostFormValue("for"); known {
				if z.days > 0 {
					m.Until = v.now.AddDate(0, 0, z.days)
				}
				break
			}
		}
		if !known {
			return fault.New(fault.Invalid, "Choose for how long it is muted.")
		}
		_, err = s.o.Inventory.Mute(v.r.Context(), f.ID, m)
		return err
	})
	if err != nil {
		return s.confirmMute(v, v.problem(err).Status, err)
	}
	return v.redirect("/findings?did=" + did)
}
