package digitalocean_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/digitalocean/godo"

	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// A quirk is a row of the ledger of what DigitalOcean does and no description says
// (docs/quirks.md), as a client meets it. Each is shown twice: with its knob on, a
// program as people write it fails and this client does not; with it off, the same
// program gets along, so that it is the quirk that it fails by.
type quirk struct {
	number int
	name   string
	on     map[string]string // parameters of the simulated cloud; nil and no fault: it is always so
	off    map[string]string
	fault  *dosim.Fault
	naive  func(*cloudUser) error
	ours   func(*cloudUser) error
}

// A cloudUser is somebody who talks to the cloud, with this client or without.
type cloudUser struct {
	*cloud
	t *testing.T
}

// TestQuirks shows each quirk, and each of its knobs on and off.
func TestQuirks(t *testing.T) {
	for _, q := range quirks {
		run := func(name string, on bool, use func(*cloudUser) error, fails bool) {
			t.Run(fmt.Sprintf("%02d %s/%s", q.number, q.name, name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					u := &cloudUser{newCloud(t), t}
					time.Sleep(time.Hour) // the droplet is old
					params := q.off
					if on {
						params = q.on
					}
					if err := u.SetParams(params); err != nil {
						t.Fatal(err)
					}
					if on && q.fault != nil {
						u.AddFault(*q.fault)
					}
					if err := use(u); (err != nil) != fails {
						t.Errorf("it ends with %v", err)
					}
				})
			})
		}
		run("a naive program fails", true, q.naive, true)
		run("this client does not", true, q.ours, false)
		if q.fault != nil || q.on != nil {
			run("without it the naive program gets along", false, q.naive, false)
		}
	}
}

// send sends a request as any program does, and says what this client makes of the
// answer.
func (u *cloudUser) send(method, path string, body any) (status int, answer map[string]any, kind digitalocean.Kind) {
	u.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		u.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(u.t.Context(), method, u.URL+path, strings.NewReader(string(text)))
	if err != nil {
		u.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+u.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := u.Server.Client.Do(req)
	if err != nil {
		return 0, nil, digitalocean.Unknown
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		return resp.StatusCode, nil, digitalocean.Unknown
	}
	if json.Unmarshal(content, &answer) != nil {
		answer = nil
	}
	return resp.StatusCode, answer, digitalocean.Judge(u.Client, req, resp, content)
}

// want is send for who takes anything but a 2xx for a failure.
func (u *cloudUser) want(method, path string, body any) (map[string]any, error) {
	status, answer, _ := u.send(method, path, body)
	if status < 200 || status > 299 || answer == nil && method != http.MethodDelete && status != http.StatusNoContent {
		return answer, fmt.Errorf("%s %s: %d %v", method, path, status, answer)
	}
	return answer, nil
}

// persist asks until the answer is proper, for as long as it says that it is only too
// early, and a horizon at most.
func (u *cloudUser) persist(method, path string, body any, early ...digitalocean.Kind) error {
	for range 40 {
		status, answer, kind := u.send(method, path, body)
		if kind == "" {
			return nil
		}
		if !kindIn(kind, early) {
			return fmt.Errorf("%s %s: %d %v is %s", method, path, status, answer, kind)
		}
		time.Sleep(5 * time.Second)
	}
	return errors.New("it never ended")
}

// again is persist for a verb of this client's.
func (u *cloudUser) again(early digitalocean.Kind, do func() error) error {
	return u.until("the end of "+string(early), func() (bool, error) {
		err := do()
		if errors.Is(err, early) {
			return false, nil
		}
		return err == nil, err
	})
}

func kindIn(k digitalocean.Kind, all []digitalocean.Kind) bool {
	for _, one := range all {
		if k == one {
			return true
		}
	}
	return false
}

// until looks again and again, for a horizon at most.
func (u *cloudUser) until(what string, look func() (bool, error)) error {
	for range 40 {
		if done, err := look(); done || err != nil {
			return err
		}
		time.Sleep(5 * time.Second)
	}
	return errors.New(what + " never came")
}

// documents are a list's items, read by this client.
func (u *cloudUser) documents(path, key string) (items []map[string]any, err error) {
	path, text, _ := strings.Cut(path, "?")
	query, err := url.ParseQuery(text)
	if err != nil {
		return nil, err
	}
	list, err := u.Documents(u.t.Context(), digitalocean.Collection{
		Path: path, Query: query, Key: key, Identify: func(item json.RawMessage) (string, bool) { return string(item), true },
	})
	for _, raw := range list.Items {
		var item map[string]any
		if err := json.Unmarshal(raw, &item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, err
}

func in(answer map[string]any, keys ...string) any {
	var at any = answer
	for _, k := range keys {
		object, _ := at.(map[string]any)
		at = object[k]
	}
	return at
}

func id(v any) string {
	if n, ok := v.(float64); ok {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprint(v)
}

func (u *cloudUser) path() string { return fmt.Sprintf("/v2/droplets/%d", u.droplet) }

type body = map[string]any

func aDroplet(name string, tags ...string) body {
	return body{"name": name, "size": "s-1vcpu-1gb", "image": "debian-12-x64", "region": "nyc3", "tags": append([]string{}, tags...)}
}

func aVolume(name string) body { return body{"name": name, "region": "nyc3", "size_gigabytes": 1} }

func aBalancer(name string) body {
	return body{"name": name, "region": "nyc3", "forwarding_rules": []body{{
		"entry_protocol": "http", "entry_port": 80, "target_protocol": "http", "target_port": 80,
	}}}
}

// godo is DigitalOcean's client as its README says to make it, which sends again
// what failed, creates too.
func (u *cloudUser) godo() (*godo.Client, error) {
	client, err := godo.New(&http.Client{Transport: bearer{u.Token, u.Server.Client.Transport}}, godo.SetBaseURL(u.URL+"/"))
	return client, err
}

// A bearer adds a token, and sends again what failed, as retrying transports do.
type bearer struct {
	token string
	next  http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	var content []byte
	if r.Body != nil {
		if content, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	for range 3 {
		again := r.Clone(r.Context())
		again.Header.Set("Authorization", "Bearer "+b.token)
		again.Body = io.NopCloser(strings.NewReader(string(content)))
		if resp, err = b.next.RoundTrip(again); err == nil && resp.StatusCode < 500 {
			return resp, nil
		}
		time.Sleep(time.Second)
	}
	return resp, err
}

// made counts what there really is of a kind, beside the droplet of the test.
func (u *cloudUser) made(kind string) int {
	n := len(u.Truth(kind))
	if kind == "droplet" {
		n--
	}
	return n
}

// ensureSnapshot takes a snapshot as the sagas do: one request, and where its outcome is
// not known a look for the name until nothing can hide any more.
func (u *cloudUser) ensureSnapshot() (found digitalocean.Snapshot, err error) {
	for range 3 {
		_, err := u.CreateDropletSnapshot(u.may().in(u.t.Context()), u.droplet, u.marker())
		if err != nil && !errors.Is(err, digitalocean.Unknown) && !errors.Is(err, digitalocean.PendingEvent) {
			return found, err
		}
		looked := u.until("the snapshot", func() (bool, error) {
			found, err = u.byName(u.marker())
			return found.ID != "", err
		})
		if looked == nil {
			return found, nil
		}
	}
	return found, errors.New("there is no snapshot")
}

// ensureDroplet makes a droplet as the sagas do: one request, and where its outcome is
// not known a look for the marker until nothing can hide any more.
func (u *cloudUser) ensureDroplet() (found digitalocean.Droplet, err error) {
	r := digitalocean.DropletCreate{Name: "new", Region: "nyc3", Size: "s-1vcpu-1gb", Image: "debian-12-x64", Tags: []string{marker}, Marker: marker}
	for range 3 {
		_, _, err := u.CreateDroplet(u.leave(u.t, r.Permit("main")), r)
		if err != nil && !errors.Is(err, digitalocean.Unknown) {
			return found, err
		}
		looked := u.until("the droplet", func() (bool, error) {
			all, err := u.DropletsTagged(u.t.Context(), marker)
			if len(all.Items) > 0 {
				found = all.Items[0]
			}
			return len(all.Items) > 0, err
		})
		if looked == nil {
			return found, nil
		}
	}
	return found, errors.New("there is no droplet")
}

// byName is the snapshot with a name, zero where there is none.
func (u *cloudUser) byName(name string) (digitalocean.Snapshot, error) {
	list, err := u.Snapshots(u.t.Context())
	for _, s := range list.Items {
		if s.Name == name {
			return s, err
		}
	}
	return digitalocean.Snapshot{}, err
}

// TestTheLedgerOfQuirksIsTrue sees that docs/quirks.md has every quirk, that the tests
// which it names are there, and that what it says is shown is in the table here.
func TestTheLedgerOfQuirksIsTrue(t *testing.T) {
	ledger, err := os.ReadFile("../../docs/quirks.md")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	files, err := filepath.Glob("../dosim/*_test.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files of tests, %v", len(files), err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(content)
	}
	here := map[int]bool{}
	for _, q := range quirks {
		here[q.number] = true
	}
	for number := 1; number <= 32; number++ {
		_, row, found := strings.Cut(string(ledger), fmt.Sprintf("\n| %d | ", number))
		row, _, _ = strings.Cut(row, "\n")
		named := regexp.MustCompile("`(TestQuirk[0-9A-Za-z]+)`").FindAllStringSubmatch(row, -1)
		switch {
		case !found:
			t.Errorf("the ledger lacks quirk %d", number)
		case strings.Contains(row, "not shown:") == (len(named) > 0), here[number] != (len(named) > 0):
			t.Errorf("quirk %d: the ledger says %q; a test of the client is there: %v", number, row, here[number])
		}
		for _, n := range named {
			if !strings.HasPrefix(n[1], fmt.Sprintf("TestQuirk%02d", number)) || !strings.Contains(tests.String(), "func "+n[1]+"(") {
				t.Errorf("quirk %d: there is no test %s", number, n[1])
			}
		}
	}
}
