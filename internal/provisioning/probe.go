package provisioning

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/provisioning/blueprint"
)

// probeWithin bounds one look: a host that is not up yet lets a connection hang.
const probeWithin = 5 * time.Second

// probe looks once whether a stack works, over the network.
func probe(ctx context.Context, p blueprint.Probe, target string) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeWithin)
	defer cancel()
	address := net.JoinHostPort(target, strconv.Itoa(p.Port))
	switch p.Type {
	case "tcp":
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return "", err
		}
		return "it takes connections at " + address, conn.Close()
	case "http", "https":
		return probeHTTP(ctx, p, address)
	}
	return "", fmt.Errorf("no way to ask a probe of type %s", p.Type)
}

func probeHTTP(ctx context.Context, p blueprint.Probe, address string) (string, error) {
	at := url.URL{Scheme: p.Type, Host: address, Path: string(p.Path)}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return "", err
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != p.Status {
		return "", fmt.Errorf("%s answers %d, not %d", at.String(), resp.StatusCode, p.Status)
	}
	return fmt.Sprintf("%s answers %d", at.String(), resp.StatusCode), nil
}
