package provisioning

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
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

// A Probe looks once whether a stack works, and says what it saw.
type Probe func(ctx context.Context, p blueprint.Probe, target string) (said string, err error)

// Prober looks over the network: through an HTTP proxy, as a bastion has, where one is
// given; it is asked for names as they are, and for connections by CONNECT.
func Prober(proxy *url.URL) Probe {
	return func(ctx context.Context, p blueprint.Probe, target string) (said string, err error) {
		ctx, cancel := context.WithTimeout(ctx, probeWithin)
		defer cancel()
		address := net.JoinHostPort(target, strconv.Itoa(p.Port))
		switch p.Type {
		case "tcp":
			conn, err := dialProbe(ctx, proxy, address)
			if err != nil {
				return "", err
			}
			return "it takes connections at " + address, conn.Close()
		case "http", "https":
			return probeHTTP(ctx, proxy, p, address)
		}
		return "", fmt.Errorf("no way to ask a probe of type %s", p.Type)
	}
}

// dialProbe connects to an address, through the proxy where there is one.
func dialProbe(ctx context.Context, proxy *url.URL, address string) (conn net.Conn, err error) {
	at := address
	if proxy != nil {
		if at = proxy.Host; proxy.Port() == "" {
			at = net.JoinHostPort(proxy.Hostname(), "80")
		}
	}
	if conn, err = new(net.Dialer).DialContext(ctx, "tcp", at); err != nil || proxy == nil {
		return conn, err
	}
	if err := connect(ctx, conn, proxy, address); err != nil {
		_ = conn.Close() // what counts is why
		return nil, err
	}
	return conn, nil
}

// connect has the proxy at the other end of a connection lead it to an address.
func connect(ctx context.Context, conn net.Conn, proxy *url.URL, address string) error {
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until); err != nil {
			return err
		}
	}
	header := http.Header{}
	if user := proxy.User; user != nil {
		password, _ := user.Password()
		header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	req := (&http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: header}).WithContext(ctx)
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req) //nolint:bodyclose // after 200 there is no body: the connection is the address's
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy answers %d for %s", resp.StatusCode, address)
	}
	return nil
}

func probeHTTP(ctx context.Context, proxy *url.URL, p blueprint.Probe, address string) (string, error) {
	at := url.URL{Scheme: p.Type, Host: address, Path: string(p.Path)}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if proxy != nil {
		transport.Proxy = http.ProxyURL(proxy)
	}
	client := http.Client{
		Transport:     transport,
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
