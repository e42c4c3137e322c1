package dosim

import (
	"bytes"
	"encoding/json"
	"time"
)

// What faults do that spoil the content of an answer, or what it has brought about.

// rewritten is a JSON body with each of its objects changed.
func rewritten(body []byte, change func(object map[string]any)) []byte {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber() // ids are longer than what a float64 holds
	var v any
	if err := d.Decode(&v); err != nil {
		panic("dosim: an answer is no JSON: " + err.Error())
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, child := range v {
				walk(child)
			}
			change(v)
		case []any:
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(v)
	body, err := json.Marshal(v)
	if err != nil {
		panic("dosim: an answer is no JSON: " + err.Error())
	}
	return body
}

// addUnknown gives an object what only a client that ignores it can live with.
func addUnknown(object map[string]any) {
	object["x_unknown"] = map[string]any{"kind": "not described", "values": []any{1, nil, true}}
}

// raisePrices makes what a size costs a quarter dearer, and the GPUs' too.
func raisePrices(object map[string]any) {
	for _, key := range []string{"price_monthly", "price_hourly"} {
		if n, ok := object[key].(json.Number); ok {
			if price, err := n.Float64(); err == nil {
				object[key] = price * 1.25
			}
		}
	}
}

// A vanishing is a thing that its maker was promised and that will be gone.
type vanishing struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

const dutyVanish = "vanish"

func vanishResource() resource { return resource{duties: []duty{{dutyVanish, doVanish}}} }

// vanish dooms what the call has made since the log had so many events, if a
// fault says so. An action and what came along are part of what was asked for.
func (c *call) vanish(events int) {
	var doomed []vanishing
	var until time.Duration // it is there: a snapshot comes with its action's end
	for _, e := range c.sim.events[events:] {
		if m, ok := e.Change.(*made); ok && m.Kind != kindAction && !m.Thing.self().Unasked {
			doomed = append(doomed, vanishing{m.Kind, m.Thing.self().ID})
			until = max(until, m.Thing.self().From.Sub(c.at))
		}
	}
	if len(doomed) == 0 {
		return
	}
	if f := c.bitten(CreateVanishes); f != nil {
		c.later(until+f.delay(3*time.Second), dutyVanish, doomed)
	}
}

func doVanish(c *call, arg json.RawMessage) {
	var doomed []vanishing
	if json.Unmarshal(arg, &doomed) != nil {
		return
	}
	for _, v := range doomed {
		if t := c.sim.world.tables[v.Kind]; t != nil {
			t.discard(c, v.ID)
		}
	}
}
