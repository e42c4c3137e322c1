package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
)

// resizeByHand gives a droplet another size behind Arcadia's back.
func (h *host) resizeByHand(droplet, size string) {
	h.t.Helper()
	for _, one := range []struct{ body, size, status string }{
		{`{"type":"power_off"}`, "", "off"},
		{fmt.Sprintf(`{"type":"resize","size":%q,"disk":false}`, size), size, "off"},
		{`{"type":"power_on"}`, size, "active"},
	} {
		ask(h.t, h.cloud, http.MethodPost, "/v2/droplets/"+droplet+"/actions", one.body, nil)
		h.until("the droplet did "+one.body, func() bool {
			is, status := h.droplet(droplet)
			return status == one.status && (one.size == "" || is == one.size)
		})
	}
}

// drift is that of acme/edge as it is known.
func (h *host) drift() client.Drift {
	h.t.Helper()
	d, err := h.c.Drift(h.t.Context(), "acme/edge")
	if err != nil {
		h.t.Fatal(err)
	}
	return d
}

// comesTo lists what there is until all of the drift is known, with so many differences.
func (h *host) comesTo(differences int) (d client.Drift) {
	h.t.Helper()
	h.until(fmt.Sprintf("the drift is known, with %d differences", differences), func() bool {
		h.sync()
		d = h.drift()
		return len(d.Unknown) == 0 && len(d.Differences) == differences
	})
	return d
}

// decoded is what a command answered with --json.
func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// says wants words in what a command says.
func says(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("it says %q, want %q in it", text, w)
		}
	}
}

// A droplet is resized by hand twice: once the stack comes to expect it, once it is put
// right, after somebody did not want to hear of it. The API and the command line say the
// same at each point.
func TestDriftIsShownAbsorbedIgnoredAndRepaired(t *testing.T) {
	hosted(t, func(h *host) {
		t, ctx := h.t, h.t.Context()
		droplet := h.stack("edge")
		h.comesTo(0)
		says(t, h.arcadia("stack", "drift", "acme/edge"), "acme/edge is as it is expected")

		h.resizeByHand(droplet, "s-2vcpu-4gb")
		d := h.comesTo(1)
		one := d.Differences[0]
		if one.Key != "droplet.web" || one.What != "changed" || one.Field != "size" || one.Expected != "s-1vcpu-1gb" || one.Is != "s-2vcpu-4gb" ||
			one.URN != "do:droplet:"+droplet || one.Monthly == nil || *one.Monthly != "18.000000" || one.Ignored != nil {
			t.Errorf("the difference is %+v, monthly %s", one, amount(one.Monthly))
		}
		if d.Heard != 1 || d.Monthly != "18.000000" || d.Unpriced != 0 || d.Tenant != "acme" || d.Name != "edge" {
			t.Errorf("the drift is %+v", d)
		}
		if s, err := h.c.Stack(ctx, "acme/edge"); err != nil || s.Drift == nil || *s.Drift != 1 {
			t.Errorf("the stack says that it drifts in %v, %v", s.Drift, err)
		}
		says(t, h.arcadia("stack", "drift", "acme/edge"), "droplet.web: size is s-2vcpu-4gb, expected s-1vcpu-1gb · +18.00 a month · "+one.ID, "1 difference: USD +18.00 a month.")
		if told := decoded[client.Drift](t, h.arcadia("stack", "drift", "acme/edge", "--json")); len(told.Differences) != 1 || told.Differences[0].ID != one.ID || told.Monthly != d.Monthly {
			t.Errorf("the command line says %+v", told)
		}
		if all := decoded[client.List[client.Drift]](t, h.arcadia("stack", "drift", "--json")); len(all.Items) != 1 || all.Items[0].Heard != 1 || all.Items[0].Monthly != d.Monthly {
			t.Errorf("of all stacks: %+v", all.Items)
		}

		plan := decoded[client.Plan](t, h.arcadia("stack", "absorb", "acme/edge", "--reason", "it is busier than it was", "--json"))
		if len(plan.Changes) != 1 || plan.Reason != "it is busier than it was" {
			t.Errorf("the plan to absorb it: %+v", plan)
		}
		h.arcadia("stack", "apply", plan.ID, "--yes", "--wait")
		if d := h.comesTo(0); d.Monthly != "0.000000" || d.Heard != 0 {
			t.Errorf("absorbed, and the drift is %+v", d)
		}
		if size, _ := h.droplet(droplet); size != "s-2vcpu-4gb" {
			t.Errorf("absorbed, and the droplet is %s", size)
		}

		h.resizeByHand(droplet, "s-1vcpu-1gb")
		one = h.comesTo(1).Differences[0]
		if one.Expected != "s-2vcpu-4gb" || one.Is != "s-1vcpu-1gb" || one.Monthly == nil || *one.Monthly != "-18.000000" {
			t.Errorf("the second difference is %+v, monthly %s", one, amount(one.Monthly))
		}
		until := time.Now().UTC().AddDate(0, 0, 7).Truncate(time.Second)
		ignored := decoded[client.Difference](t, h.arcadia("stack", "ignore", "acme/edge", one.ID, "--until", until.Format(time.RFC3339), "--reason", "a trial", "--json"))
		if g := ignored.Ignored; g == nil || !g.Until.Equal(until) || g.Reason != "a trial" || g.Actor != actor() {
			t.Errorf("ignored: %+v", g)
		}
		if d := h.drift(); d.Heard != 0 || d.Monthly != "0.000000" || len(d.Differences) != 1 || d.Differences[0].Ignored == nil {
			t.Errorf("ignored, and the drift is %+v", d)
		}
		says(t, h.arcadia("stack", "drift", "acme/edge"), "Ignored until "+until.Format("2006-01-02 15:04 UTC"), "a trial")
		repair := client.PlanOrder{Verb: "repair", Stack: "acme/edge"}
		_, err := h.c.MakePlan(ctx, repair)
		conflict(t, err, "has no drift to repair")
		if _, err := h.c.IgnoreDrift(ctx, "acme/edge", one.ID, client.NewIgnore{Until: client.Time{Time: time.Now().Add(-time.Minute)}, Reason: "late"}); !refusedAs(err, http.StatusBadRequest) {
			t.Errorf("ignored until a time that is over: %v", err)
		}
		if _, err := h.c.HearDrift(ctx, "acme/edge", "drift_none"); !refusedAs(err, http.StatusNotFound) {
			t.Errorf("a difference that there is not is heard of: %v", err)
		}
		if heard := decoded[client.Difference](t, h.arcadia("stack", "heed", "acme/edge", one.ID, "--json")); heard.Ignored != nil {
			t.Errorf("heard of again: %+v", heard.Ignored)
		}
		if d := h.drift(); d.Heard != 1 || d.Monthly != "-18.000000" {
			t.Errorf("heard of again, and the drift is %+v", d)
		}

		h.carryOut(h.plan(repair))
		h.comesTo(0)
		if size, status := h.droplet(droplet); size != "s-2vcpu-4gb" || status != "active" {
			t.Errorf("repaired, and the droplet is %s and %s", size, status)
		}
		says(t, h.arcadia("stack", "drift", "acme/edge"), "acme/edge is as it is expected")
	})
}

func amount(of *string) string {
	if of == nil {
		return "not known"
	}
	return *of
}

func refusedAs(err error, status int) bool {
	var p *client.Problem
	return errors.As(err, &p) && p.Status == status && p.Detail != ""
}
