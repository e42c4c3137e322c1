package web

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// A usageView is what the page of usage shows.
type usageView struct {
	ui.Page
	meters  []metering.Meter
	meter   metering.Meter
	spans   []ui.Choice
	steps   []ui.Choice
	only    string // the slug of the tenant that it is about; empty: all
	tenants []usageRow
	parts   []usagePart
	total   usagePart // of all parts
	added   bool      // what several tenants used can be added up
	plot    string    // the parts as the plot reads them

	unmetered []unmeteredRow
	conflicts []conflictRow
	csv       string
	twins     ui.Twin
}

// A usageRow is what one tenant used.
type usageRow struct {
	Slug     string       `json:"tenant"`
	Quantity exact.Number `json:"quantity"`
	Events   int64        `json:"events"`
	Parts    []usagePart  `json:"parts"`
}

// A usagePart is what was used in an hour or a day, of UTC.
type usagePart struct {
	From     time.Time    `json:"from"`
	To       time.Time    `json:"to"`
	Quantity exact.Number `json:"quantity"`
	Events   int64        `json:"events"`
}

type unmeteredRow struct {
	metering.Unmetered
	slug string
}

type conflictRow struct {
	metering.Conflict
	slug string
}

// A usageWindow is which time an address asks for, and in which parts.
type usageWindow struct {
	from time.Time
	step time.Duration
	n    int
}

// usageSpans are how far back a page looks, and in which parts where it does not say.
var usageSpans = []struct {
	key, name string
	length    time.Duration
	step      string
}{
	{"24h", "24 hours", 24 * time.Hour, "hour"}, {"7d", "7 days", 7 * 24 * time.Hour, "hour"}, {"30d", "30 days", 30 * 24 * time.Hour, "day"},
	{"90d", "90 days", 90 * 24 * time.Hour, "day"},
}

// usageWindowOf reads the window of an address. Its last part is the one that goes on.
func usageWindowOf(q ui.Query, now time.Time) (w usageWindow, spans, steps []ui.Choice, err error) {
	span, step := cmp.Or(q.Get("span"), "30d"), q.Get("by")
	length := time.Duration(0)
	for _, s := range usageSpans {
		value := s.key
		if value == "30d" {
			value = "" // what holds where the address does not say
		}
		spans = append(spans, ui.Choice{Value: value, Text: s.name, Count: -1})
		if s.key == span {
			length, step = s.length, cmp.Or(step, s.step)
		}
	}
	if length == 0 {
		return w, nil, nil, fault.New(fault.Invalid, "Usage is shown of 24h, 7d, 30d or 90d, and not of %q.", clip(span))
	}
	switch step {
	case "hour":
		w.step = time.Hour
	case "day":
		w.step = 24 * time.Hour
	default:
		return w, nil, nil, fault.New(fault.Invalid, "Usage is shown by hour or by day, and not by %q.", clip(step))
	}
	w.n = int(length / w.step)
	if w.n > metering.MaxParts {
		return w, nil, nil, fault.New(fault.Invalid, "That are %d hours: look at them by day, or at fewer days.", w.n)
	}
	w.from = now.UTC().Truncate(w.step).Add(w.step - time.Duration(w.n)*w.step)
	return w, spans, []ui.Choice{{Value: "hour", Text: "By hour", Count: -1}, {Value: "day", Text: "By day", Count: -1}}, nil
}

// usage is the page of what tenants used.
func (s *Server) usage(v *visit) error {
	ctx := v.r.Context()
	view := usageView{Page: v.page("Usage", "/billing"), only: v.query.Get("tenant")}
	w, spans, steps, err := usageWindowOf(v.query, v.now.Time)
	if err != nil {
		return err
	}
	view.spans, view.steps = spans, steps
	view.Query = v.query.With("by", map[time.Duration]string{time.Hour: "hour", 24 * time.Hour: "day"}[w.step])
	if view.meters, err = s.o.Metering.Meters(ctx); err != nil {
		return err
	}
	if err := s.readMeter(v, &view, w); err != nil {
		return err
	}
	if v.wants("json") {
		return v.json(struct {
			Meter string     `json:"meter"`
			Items []usageRow `json:"items"`
		}{view.meter.ID, append([]usageRow{}, view.tenants...)})
	}
	if v.wants("csv") {
		return usageCSV(v, view)
	}
	if err := s.readUncounted(v, &view); err != nil {
		return err
	}
	view.csv = v.twin("/usage", "csv")
	view.twins = ui.Twin{
		CLI: "arcadia usage totals " + cmp.Or(view.only, "TENANT") + " " + cmp.Or(view.meter.ID, "METER"), API: "curl http://" + v.r.Host + "/v1/meters", JSON: v.twin("/usage", "json"),
	}
	return v.show(http.StatusOK, usagePage(view))
}

// readMeter reads what the meter of the address counted.
func (s *Server) readMeter(v *visit, view *usageView, w usageWindow) error {
	ctx := v.r.Context()
	var of tenant.ID
	if view.only != "" {
		t, err := s.o.Tenants.Tenant(ctx, view.only)
		if err != nil {
			return err
		}
		of, view.only = t.ID, t.Slug
	}
	if len(view.meters) == 0 {
		return nil
	}
	id := cmp.Or(v.query.Get("meter"), view.meters[0].ID)
	at := slices.IndexFunc(view.meters, func(m metering.Meter) bool { return m.ID == id })
	if at < 0 {
		return fault.New(fault.NotFound, "There is no meter %q.", clip(id))
	}
	view.meter = view.meters[at]
	courses, err := s.o.Metering.Courses(ctx, of, id, w.from, w.step, w.n)
	if err != nil {
		return err
	}
	slugs, err := s.o.Tenants.Slugs(ctx)
	if err != nil {
		return err
	}
	for _, c := range courses {
		row := usageRow{Slug: slugs[c.Tenant], Quantity: c.Quantity, Events: c.Events, Parts: make([]usagePart, len(c.Parts))}
		for i, p := range c.Parts {
			from := w.from.Add(time.Duration(i) * w.step)
			row.Parts[i] = usagePart{from, from.Add(w.step), p.Quantity, p.Events}
		}
		view.tenants = append(view.tenants, row)
	}
	slices.SortFunc(view.tenants, func(a, b usageRow) int {
		return cmp.Or(b.Quantity.Cmp(a.Quantity), cmp.Compare(b.Events, a.Events), cmp.Compare(a.Slug, b.Slug))
	})
	view.addUp()
	if view.plot, err = view.points(w); err != nil {
		return err
	}
	return nil
}

// addUp makes the parts of all tenants, where what they used can be added.
func (v *usageView) addUp() {
	sums := v.meter.Aggregate == metering.Sum || v.meter.Aggregate == metering.Count || v.meter.Aggregate == metering.TimeWeighted
	if v.added = sums || len(v.tenants) == 1; !v.added || len(v.tenants) == 0 {
		return
	}
	v.parts = slices.Clone(v.tenants[0].Parts)
	v.total = usagePart{Quantity: v.tenants[0].Quantity, Events: v.tenants[0].Events}
	for _, t := range v.tenants[1:] {
		for i, p := range t.Parts {
			v.parts[i].Quantity, v.parts[i].Events = v.parts[i].Quantity.Add(p.Quantity), v.parts[i].Events+p.Events
		}
		v.total.Quantity, v.total.Events = v.total.Quantity.Add(t.Quantity), v.total.Events+t.Events
	}
}

// points are the parts as the plot reads them: drawn, and not reckoned with.
func (v *usageView) points(w usageWindow) (string, error) {
	values := make([]json.Number, len(v.parts))
	for i, p := range v.parts {
		values[i] = json.Number(p.Quantity.Round(6).String())
	}
	text, err := json.Marshal(struct {
		From   int64         `json:"from"` // seconds
		Step   int64         `json:"step"`
		Values []json.Number `json:"values"`
		Unit   string        `json:"unit"`
	}{w.from.Unix(), int64(w.step / time.Second), values, v.unit()})
	return string(text), err
}

// unit is what the meter counts, in a word or two.
func (v *usageView) unit() string {
	switch v.meter.Aggregate {
	case metering.Count:
		return "events"
	case metering.Unique:
		return "distinct " + v.meter.Value
	case metering.TimeWeighted:
		return v.meter.Value + " on average"
	}
	return string(v.meter.Aggregate) + " of " + v.meter.Value
}

// mostConflicts is how many conflicts the page names.
const mostConflicts = 20

// readUncounted reads what was accepted and costs nobody anything, and what contradicts
// what counts.
func (s *Server) readUncounted(v *visit, view *usageView) error {
	ctx := v.r.Context()
	slugs, err := s.o.Tenants.Slugs(ctx)
	if err != nil {
		return err
	}
	unmetered, err := s.o.Metering.Unmetered(ctx)
	if err != nil {
		return err
	}
	for _, u := range unmetered {
		if view.only == "" || slugs[u.Tenant] == view.only {
			view.unmetered = append(view.unmetered, unmeteredRow{u, slugs[u.Tenant]})
		}
	}
	conflicts, err := s.o.Metering.Conflicts(ctx, "", time.Time{}, mostConflicts)
	if err != nil {
		return err
	}
	for _, c := range conflicts {
		if view.only == "" || slugs[c.Tenant] == view.only {
			view.conflicts = append(view.conflicts, conflictRow{c, slugs[c.Tenant]})
		}
	}
	return nil
}

func usageCSV(v *visit, view usageView) error {
	done := false
	return v.csv("usage", []string{"tenant", "meter", "from", "to", "quantity", "events"}, func() (rows [][]string, err error) {
		if done {
			return nil, nil
		}
		done = true
		for _, t := range view.tenants {
			for _, p := range t.Parts {
				rows = append(rows, []string{t.Slug, view.meter.ID, stamp(p.From), stamp(p.To), p.Quantity.String(), decimal(p.Events)})
			}
		}
		return rows, nil
	})
}

// amountText is a quantity to three decimals, with thin spaces between thousands.
func amountText(n exact.Number) string {
	text, sign := n.Round(3).String(), ""
	if rest, negative := strings.CutPrefix(text, "-"); negative {
		text, sign = rest, "−"
	}
	whole, fraction, dotted := strings.Cut(text, ".")
	whole = sign + thousands(whole)
	if dotted {
		whole += "." + fraction
	}
	return whole
}

// thousands puts thin spaces between the thousands of digits.
func thousands(digits string) string {
	var parts []string
	for ; len(digits) > 3; digits = digits[:len(digits)-3] {
		parts = append([]string{digits[len(digits)-3:]}, parts...)
	}
	return strings.Join(append([]string{digits}, parts...), "\u202f")
}

// partName is when a part was, in words.
func (v *usageView) partName(p usagePart) string {
	if p.To.Sub(p.From) < 24*time.Hour {
		return p.From.Format("2 Jan 15:04")
	}
	return p.From.Format("Mon 2 Jan")
}

// dataWords are an event's data in a line.
func dataWords(d metering.Data) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(d)) {
		words = append(words, name+" "+string(d[name]))
	}
	return strings.Join(words, ", ")
}
