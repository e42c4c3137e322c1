package dosim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// The parameters' names. What each means and what it starts as: paramTable.
const (
	paramDropletCreate   = "droplet.create"
	paramSnapshot        = "action.snapshot"
	paramPowerOff        = "action.power_off"
	paramPowerOn         = "action.power_on"
	paramShutdown        = "action.shutdown"
	paramGetAfterCreate  = "lag.get_after_create"
	paramListAfterCreate = "lag.list_after_create"
	paramListAfterDelete = "lag.list_after_delete"
	paramSnapshotVisible = "lag.snapshot_visible"
	paramActionList      = "lag.action_list"
	paramStatus          = "lag.status"
	paramTag             = "lag.tag"
	paramUpdate          = "lag.update"
	paramReplica         = "lag.replica"
	paramReplicas        = "replicas"
	paramSticky          = "replicas.sticky"
	paramProject         = "lag.project"
	paramPendingEvent    = "pending_event"
	paramCompletedAtNull = "quirk.completed_at_null"
	paramHourly          = "ratelimit.hourly"
	paramBurst           = "ratelimit.burst"
)

// A Param is one thing about the cloud that may be turned: how long something
// takes, how late something shows, whether a rule holds. It applies to what
// happens after it is set; what is already under way keeps its times.
type Param struct {
	Name    string
	Default string // a Go duration when it ends in a unit, else a whole number
	Min     int64  // of numbers
	Max     int64  // of numbers; 0 marks a duration, which lies in 0–8760h
	About   string
}

// Params returns every parameter there is, with its default. The defaults that
// are not of our choosing are measured or reported behaviour: see the issues
// that the tests of the quirks name.
//
// The lags whose name ends in after_create, after_delete, lag.update and lag.tag
// may also be set for one kind of thing, as in lag.get_after_create.ssh_key.
func Params() []Param {
	all := coreParams()
	for _, r := range resources() {
		all = append(all, r.params...)
	}
	return all
}

// perKind are the parameters that a kind may have a value of its own for.
func perKind() []string {
	return []string{paramGetAfterCreate, paramListAfterCreate, paramListAfterDelete, paramUpdate, paramTag}
}

func coreParams() []Param {
	return []Param{
		{paramDropletCreate, "25s", 0, 0, "from the create's answer to the droplet being active"},
		{paramSnapshot, "60s", 0, 0, "how long a snapshot action takes"},
		{paramPowerOff, "5s", 0, 0, "how long a power_off action takes"},
		{paramPowerOn, "5s", 0, 0, "how long a power_on action takes"},
		{paramShutdown, "10s", 0, 0, "how long a shutdown action takes"},
		{paramGetAfterCreate, "1s", 0, 0, "how long a new thing's own address answers 404"},
		{paramListAfterCreate, "2s", 0, 0, "how long a new thing is missing from lists"},
		{paramListAfterDelete, "5s", 0, 0, "how long a deleted thing lingers in lists"},
		{paramSnapshotVisible, "5s", 0, 0, "from a snapshot action's end to its snapshot being listed"},
		{paramActionList, "0s", 0, 0, "how long a new action is missing from lists"},
		{paramStatus, "0s", 0, 0, "from an action's end to the droplet's status showing it"},
		{paramTag, "2s", 0, 0, "how long a thing is missing from lists by a tag it was given"},
		{paramUpdate, "0s", 0, 0, "how long reads show a thing as it was before its newest change"},
		{paramReplica, "3s", 0, 0, "how far the replicas that answer reads may be behind one another"},
		{paramReplicas, "1", 1, 16, "how many replicas answer reads, each request any of them"},
		{paramSticky, "0", 0, 1, "1: a token is answered by the same replica always"},
		{paramProject, "0s", 0, 0, "how long a thing is missing from the project it was put into"},
		{paramPendingEvent, "1", 0, 1, "1: a droplet with an unfinished action refuses another one"},
		{paramCompletedAtNull, "1", 0, 1, "1: /v2/droplets/ID/actions/ID never shows completed_at"},
		{paramHourly, "5000", 1, 1_000_000, "requests per token in any hour"},
		{paramBurst, "250", 1, 1_000_000, "requests per token in any minute"},
	}
}

const maxParam = 8760 * time.Hour

// params are the values in force, as they were written and as they are used.
type params struct {
	text      map[string]string
	durations map[string]time.Duration
	numbers   map[string]int
}

func newParams() params {
	text := map[string]string{}
	for _, d := range Params() {
		text[d.Name] = d.Default
	}
	return parsed(text)
}

// parsed makes use of values that have been checked.
func parsed(text map[string]string) params {
	p := params{text, map[string]time.Duration{}, map[string]int{}}
	for name, value := range text {
		if n, err := strconv.Atoi(value); err == nil {
			p.numbers[name] = n
		}
		if d, err := time.ParseDuration(value); err == nil {
			p.durations[name] = d
		}
	}
	return p
}

// with returns p with the values of set in their places, or why it cannot. An
// empty value takes away what a kind had of its own.
func (p params) with(set map[string]string) (params, error) {
	table := map[string]Param{}
	for _, d := range Params() {
		table[d.Name] = d
	}
	next := maps.Clone(p.text)
	for _, name := range slices.Sorted(maps.Keys(set)) {
		d, known := table[name]
		general, kind, own := cutKind(name)
		if own {
			d, known = table[general], slices.Contains(kinds(), kind)
		}
		if !known {
			return params{}, fault.New(fault.Unprocessable, "There is no parameter %q. There are: %s.",
				name, strings.Join(slices.Sorted(maps.Keys(table)), ", "))
		}
		if own && set[name] == "" {
			delete(next, name)
			continue
		}
		d.Name = name
		if err := d.check(set[name]); err != nil {
			return params{}, err
		}
		next[name] = set[name]
	}
	return parsed(next), nil
}

// cutKind splits the name of a kind's own parameter from the kind.
func cutKind(name string) (general, kind string, own bool) {
	for _, p := range perKind() {
		if rest, ok := strings.CutPrefix(name, p+"."); ok {
			return p, rest, true
		}
	}
	return name, "", false
}

func (d Param) check(value string) error {
	if d.Max > 0 {
		if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < d.Min || n > d.Max {
			return fault.New(fault.Unprocessable, "Parameter %s is a whole number from %d to %d, not %q.", d.Name, d.Min, d.Max, value)
		}
		return nil
	}
	if t, err := time.ParseDuration(value); err != nil || t < 0 || t > maxParam {
		return fault.New(fault.Unprocessable, "Parameter %s is a duration like \"90s\" from 0s to 8760h, not %q.", d.Name, value)
	}
	return nil
}

func (p params) duration(name string) time.Duration {
	d, ok := p.durations[name]
	if !ok {
		panic("dosim: there is no duration " + name)
	}
	return d
}

// durationFor is a kind's own duration, or else the general one.
func (p params) durationFor(name, kind string) time.Duration {
	if d, ok := p.durations[name+"."+kind]; ok {
		return d
	}
	return p.duration(name)
}

func (p params) number(name string) int {
	n, ok := p.numbers[name]
	if !ok {
		panic("dosim: there is no number " + name)
	}
	return n
}

func (p params) on(name string) bool { return p.number(name) != 0 }
