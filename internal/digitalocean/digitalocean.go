// Package digitalocean is the part of DigitalOcean's API that Arcadia uses,
// with the rules that make it safe to use: godo supplies paths and wire types,
// everything between it and the socket is ours.
//
//   - A [Client] is bound to one account, one [Purpose] and one token. A call
//     that its purpose does not cover is refused before it is sent.
//   - A request that changes something leaves only under a [Capability] that
//     names it: the write guard, asked directly before the socket.
//   - A POST is sent once. godo's own retries send it again and were seen to
//     make three droplets of one create; reads, PUT and DELETE are retried here,
//     with jitter.
//   - Every failure is an [Error] whose [Kind] says what the caller may conclude.
//   - A list is complete or an error.
//   - A [Budget] per token keeps inside DigitalOcean's rate limits.
//   - A [Watcher] follows any number of actions with one list call per interval.
//
// Facts about the API are from DigitalOcean's OpenAPI description and from the
// issues collected in the project's reference (quirks are quoted by number).
package digitalocean

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/digitalocean/godo"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/vault"
)

// DefaultBaseURL is DigitalOcean's API.
const DefaultBaseURL = "https://api.digitalocean.com"

// DefaultTimeout bounds one request, from the guard's word to the last byte of
// its answer. It must not exceed the saga engine's lease margin: a request that
// the guard let go is over before another owner may begin.
const DefaultTimeout = 5 * time.Second

// Options are what New needs; Account, Purpose and Token must be given.
type Options struct {
	BaseURL   string            // default DefaultBaseURL; scheme, host and port only
	Account   string            // our name for the account
	Purpose   Purpose           // what the token is for
	Token     vault.Secret      // the bearer token
	Transport http.RoundTripper // what sends; default a transport of its own
	Timeout   time.Duration     // of each request; default DefaultTimeout
	Budget    *Budget           // shared by all clients of one token; default one of its own
	Logger    *slog.Logger      // default: none

	// Freeze answers an error while changes to the account are forbidden. It is
	// asked before every request that changes something. nil: never frozen.
	Freeze func(ctx context.Context, account, tenant string) error
	// Destroys answers an error where no more may be destroyed. It is asked before every
	// request that deletes a thing, or rebuilds or restores a droplet. nil: no bounds.
	Destroys func(ctx context.Context, what Destruction) error
}

// A Client calls DigitalOcean for one account with one token. It is safe for
// concurrent use.
type Client struct {
	account string
	purpose Purpose
	api     *godo.Client
	wire    *transport
	log     *slog.Logger
}

// New returns a client. It sends nothing. It answers fault.Invalid for a base
// URL, account, purpose or token that cannot be right.
func New(o Options) (*Client, error) {
	if o.BaseURL == "" {
		o.BaseURL = DefaultBaseURL
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" ||
		base.User != nil || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" || base.Fragment != "" {
		// A path would be dropped by some of godo's services (reference B-8).
		return nil, fault.New(fault.Invalid, "The API address must be a scheme and a host, as %s: correct ARCADIA_DO_API_URL.", DefaultBaseURL)
	}
	base.Path = "/"
	if o.Account == "" {
		return nil, fault.New(fault.Invalid, "A DigitalOcean client needs the name of its account.")
	}
	if _, err := ParsePurpose(string(o.Purpose)); err != nil {
		return nil, err
	}
	if err := CheckToken(o.Token); err != nil {
		return nil, err
	}
	if o.Transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.MaxIdleConnsPerHost = 16
		o.Transport = own
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Budget == nil {
		o.Budget = NewBudget()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	log := o.Logger.With("account", o.Account, "purpose", string(o.Purpose))
	if base.Scheme == "http" && !isLoopback(base.Hostname()) {
		log.Warn("the API address is plain http: the token travels in the clear", "host", base.Host)
	}
	wire := &transport{
		next:     o.Transport,
		scheme:   base.Scheme,
		host:     base.Host,
		account:  o.Account,
		purpose:  o.Purpose,
		token:    o.Token,
		timeout:  o.Timeout,
		pause:    firstPause,
		budget:   o.Budget,
		freeze:   o.Freeze,
		destroys: o.Destroys,
		log:      log,
	}
	api, err := godo.New(&http.Client{Transport: wire}, godo.SetBaseURL(base.String()), godo.SetUserAgent("arcadia"))
	if err != nil {
		return nil, err
	}
	return &Client{account: o.Account, purpose: o.Purpose, api: api, wire: wire, log: log}, nil
}

// AccountName is our name for the account that this client belongs to.
func (c *Client) AccountName() string { return c.account }

// Purpose is what this client's token is for.
func (c *Client) Purpose() Purpose { return c.purpose }

// Close gives up the idle connections. Calls that come later open new ones.
func (c *Client) Close() {
	if pool, ok := c.wire.next.(interface{ CloseIdleConnections() }); ok {
		pool.CloseIdleConnections()
	}
}

// String names the client without its token.
func (c *Client) String() string { return "digitalocean(" + c.account + ", " + string(c.purpose) + ")" }

func isLoopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasPrefix(host, "127.") || host == "::1"
}
