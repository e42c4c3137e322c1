package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// Probe looks once whether a stack works, from where the cloud's droplets can be reached:
// a name is what the cloud's own records say, and a guest speaks HTTP without TLS.
func (c *Cloud) Probe(ctx context.Context, p blueprint.Probe, target string) (said string, err error) {
	host, err := c.resolve(target)
	if err != nil {
		return "", err
	}
	address := net.JoinHostPort(host, strconv.Itoa(p.Port))
	if p.Type == "tcp" {
		conn, err := c.sim.DialGuest(ctx, "tcp", address)
		if err != nil {
			return "", err
		}
		return "it takes connections at " + address, conn.Close()
	}
	at := url.URL{Scheme: "http", Host: address, Path: string(p.Path)}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return "", err
	}
	browser := http.Client{Transport: &http.Transport{DialContext: c.sim.DialGuest, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := browser.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }() // nothing of it is read
	if resp.StatusCode != p.Status {
		return "", fmt.Errorf("%s answers %d, not %d", target, resp.StatusCode, p.Status)
	}
	return fmt.Sprintf("%s answers %d", target, resp.StatusCode), nil
}

// resolve is the address that a name has in the cloud's zones; an address is its own.
func (c *Cloud) resolve(target string) (string, error) {
	if net.ParseIP(target) != nil {
		return target, nil
	}
	for _, r := range c.sim.Truth("domain_record") {
		var record struct{ Type, Data string }
		if r.Name != target {
			continue
		}
		if err := json.Unmarshal(r.Data, &record); err != nil {
			return "", err
		}
		if record.Type == "A" {
			return record.Data, nil
		}
	}
	return "", fmt.Errorf("no record says where %s is", target)
}
