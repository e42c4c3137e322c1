package provisioning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
	"github.com/arcadia-cloud/arcadia/internal/saga"
	"github.com/arcadia-cloud/arcadia/internal/saga/sagatest"
)

// newProvingGround is a yard whose probes ask the guests over the network, and are content
// where these answer.
func newProvingGround(t *testing.T, d *db.DB, cloud *dosimtest.Server, p pace, wrap func(http.RoundTripper) http.RoundTripper) (y *yard, asked *[]string) {
	asked = new([]string)
	p.settings.Probe = func(ctx context.Context, _ blueprint.Probe, target string) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+target+":443/", http.NoBody)
		if err != nil {
			return "", err
		}
		resp, err := cloud.Guests.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return "", err
		}
		*asked = append(*asked, target+" "+string(body))
		return string(body), nil
	}
	return newYard(t, d, cloud, p, wrap), asked
}

// TestADrillFindsTheDataAndLeavesNothing tries the newest backup out: the scratch droplet
// answers with the data of both disks, at an address that is not the stack's; then all is
// gone, the time is written down, and the stack is as it was.
func TestADrillFindsTheDataAndLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		y, asked := newProvingGround(t, dbtest.New(t), dosimtest.Pipe(t), bubblePace, nil)
		y.standing()
		engine := y.engine(y.options)
		s := y.serve(engine)
		before := y.stack(s)
		y.write(s, "42 rows")
		y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
		y.write(s, "nothing")
		held, rev := y.kinds(), y.stack(s).Rev
		*asked = nil
		y.apply(s, engine, on(provisioning.TryOut), saga.Completed)
		if len(*asked) == 0 || strings.Count((*asked)[len(*asked)-1], "42 rows") != 2 {
			t.Errorf("the scratch droplet answered %q, want the data of both disks as they were backed up", *asked)
		}
		address := strings.TrimPrefix(y.urn(s, before.ID, "reserved_ip.front"), "do:reserved_ip:")
		for _, one := range *asked {
			if strings.HasPrefix(one, address) {
				t.Errorf("the drill asked the stack itself: %q", one)
			}
		}
		if got := y.kinds(); !slices.Equal(got, held) {
			t.Errorf("there was %q and after the drill there is %q", held, got)
		}
		all, err := s.Drills(ctx, before.ID)
		if err != nil || len(all) != 1 || all[0].Outcome != "passed" || !all[0].ReadyAt.After(all[0].BeganAt) || !all[0].EndedAt.After(all[0].ReadyAt) {
			t.Errorf("the drills are %+v: %v", all, err)
		}
		if now := y.stack(s); now.Rev != rev {
			t.Errorf("the drill changed the stack: revision %d was %d", now.Rev, rev)
		}
	})
}

// TestADrillThatFailsLeavesNothing: nothing answers on the scratch droplet. That is written
// down as what the drill found out, with what the probe said and without a time, and all
// that was made is gone.
func TestADrillThatFailsLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, drilling := bubblePace, false
		cloud := dosimtest.Pipe(t)
		content := reservedIPProbe(cloud)
		p.settings.Probe = func(ctx context.Context, probe blueprint.Probe, target string) (string, error) {
			if drilling {
				return "", errors.New("the disk is empty")
			}
			return content(ctx, probe, target)
		}
		y := newYard(t, dbtest.New(t), cloud, p, nil)
		y.standing()
		engine := y.engine(y.options)
		s := y.serve(engine)
		y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
		held := y.kinds()
		drilling = true
		y.apply(s, engine, on(provisioning.TryOut), saga.Completed)
		if got := y.kinds(); !slices.Equal(got, held) {
			t.Errorf("there was %q and after the drill there is %q", held, got)
		}
		all, err := s.Drills(t.Context(), y.stack(s).ID)
		if err != nil || len(all) != 1 || all[0].Outcome != "failed" || !strings.Contains(all[0].Said, "the disk is empty") || !all[0].ReadyAt.IsZero() || !all[0].EndedAt.After(all[0].BeganAt) {
			t.Errorf("the drills are %+v: %v", all, err)
		}
	})
}

// TestUnwindDrill cuts a drill: however it ends, nothing of it stays.
func TestUnwindDrill(t *testing.T) {
	g := stage[[]string]{
		raise: func(t *testing.T, d *db.DB, cloud *dosimtest.Server, wrap func(http.RoundTripper) http.RoundTripper) *yard {
			t.Helper()
			y, _ := newProvingGround(t, d, cloud, bubblePace, wrap)
			return y
		},
		set: func(y *yard, s *provisioning.Service, engine *saga.Engine) (held []string, _ provisioning.PlanRequest) {
			y.standing()
			y.drive(s, engine, on(provisioning.BackUp))
			return y.kinds(), on(provisioning.TryOut)
		},
		check: func(t *testing.T, y *yard, _ *provisioning.Service, held []string, end saga.Saga) {
			if got := y.kinds(); !slices.Equal(got, held) {
				t.Errorf("it is %s; there was %q and there is %q", end.State, held, got)
			}
		},
	}
	sagatest.Unwind(t, sagatest.Case{
		Ends: saga.Completed, Within: 24 * time.Hour, Bubble: synctest.Test, Sample: 10, Presets: weathers, Build: g.build,
	})
}

// A watched transport sees what is sent to make and delete things.
type watched struct {
	http.RoundTripper
	see func(method, path string, body []byte)
}

func (w watched) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost || r.Method == http.MethodDelete {
		var body []byte
		if r.Body != nil {
			var err error
			if body, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		w.see(r.Method, r.URL.Path, body)
	}
	return w.RoundTripper.RoundTrip(r)
}

// TestADrillsDropletIsShutIn: before there is a droplet of a drill its firewall is in force,
// which lets in what is probed, and nothing out: a copy of a stack does not do its work.
func TestADrillsDropletIsShutIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud := dosimtest.Pipe(t)
		var wall struct {
			Inbound  []struct{ Ports string } `json:"inbound_rules"`
			Outbound []any                    `json:"outbound_rules"`
			Tags     []string                 `json:"tags"`
		}
		var scratch struct {
			Tags []string `json:"tags"`
		}
		drilling, asked := false, 0
		y, _ := newProvingGround(t, dbtest.New(t), cloud, bubblePace, func(next http.RoundTripper) http.RoundTripper {
			return watched{next, func(method, path string, body []byte) {
				switch {
				case !drilling:
				case path == "/v2/firewalls":
					if err := json.Unmarshal(body, &wall); err != nil {
						t.Error(err)
					}
				case path == "/v2/droplets":
					if err := json.Unmarshal(body, &scratch); err != nil {
						t.Error(err)
					}
					if len(wall.Tags) != 1 || !slices.Contains(scratch.Tags, wall.Tags[0]) {
						t.Errorf("a droplet with tags %q is made behind a firewall for %q", scratch.Tags, wall.Tags)
					}
				case method == http.MethodDelete && strings.HasPrefix(path, "/v2/droplets/"):
					id, err := strconv.ParseInt(strings.TrimPrefix(path, "/v2/droplets/"), 10, 64)
					if err != nil {
						t.Error(err)
					}
					guest, err := cloud.Guest(id)
					if err != nil {
						return // it is gone: the request is sent again
					}
					for port, open := range map[string]bool{"443": true, "22": false, "80": false} {
						resp, err := cloud.Guests.Get("http://" + net.JoinHostPort(guest.Addresses[0], port) + "/")
						if err == nil {
							_ = resp.Body.Close() // that it answered is all
						}
						if asked++; (err == nil) != open {
							t.Errorf("port %s of the drill's droplet: %v", port, err)
						}
					}
				}
			}}
		})
		y.standing()
		engine := y.engine(y.options)
		s := y.serve(engine)
		y.apply(s, engine, on(provisioning.BackUp), saga.Completed)
		drilling = true
		y.apply(s, engine, on(provisioning.TryOut), saga.Completed)
		if len(wall.Inbound) != 1 || wall.Inbound[0].Ports != "443" || len(wall.Outbound) != 0 {
			t.Errorf("the firewall lets in %v and out %v, want the probe's port in and nothing out", wall.Inbound, wall.Outbound)
		}
		if asked == 0 {
			t.Error("no port of the drill's droplet was asked")
		}
	})
}
