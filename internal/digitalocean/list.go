package digitalocean

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/digitalocean/godo"
)

const (
	perPage   = 200 // the most that DigitalOcean gives; its default of 20 truncates (quirk 19)
	maxSweeps = 4   // how often a list that moves is read from its start
)

// A List is every item of a list, each once, in DigitalOcean's order.
type List[T any] struct {
	Items []T
	// At is DigitalOcean's clock, the Date header of the last page read; zero
	// when it sent none.
	At time.Time
	// Began is our clock before the first request.
	Began time.Time
}

// A collection is one of the API's lists: where it is and what its items are.
type collection[W, T any] struct {
	path  string // "v2/snapshots"
	query url.Values
	key   string // under which the items stand
	item  func(W) T
	id    func(T) string
}

// A page is one answer of a list.
type page[T any] struct {
	items []T
	total int
	last  bool
	at    time.Time
}

// errMoved says that a list changed between two pages.
var errMoved = errors.New("the list changed while it was read")

// all reads the whole list: all pages, each item once, as many as the list says
// it has. When it moved between pages it is read again from the start; when it
// does not come to rest, or a page fails, the answer is an error and no items.
func all[W, T any](ctx context.Context, c *Client, list collection[W, T]) (List[T], error) {
	began := time.Now()
	for range maxSweeps {
		items, at, err := sweep(ctx, c, list)
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return List[T]{}, err
		}
		return List[T]{Items: items, At: at, Began: began}, nil
	}
	return List[T]{}, c.unclear(http.MethodGet, "/"+list.path, fmt.Sprintf("%v, %d times", errMoved, maxSweeps))
}

func sweep[W, T any](ctx context.Context, c *Client, list collection[W, T]) (items []T, at time.Time, err error) {
	seen := make(map[string]bool)
	total := 0
	for number := 1; ; number++ {
		p, err := onePage(ctx, c, list, number)
		if err != nil {
			return nil, at, err
		}
		if number > 1 && p.total != total {
			return nil, at, errMoved
		}
		total, at = p.total, p.at
		before := len(items)
		for _, item := range p.items {
			if id := list.id(item); !seen[id] {
				seen[id] = true
				items = append(items, item)
			}
		}
		if p.last || len(items) == before { // pages that bring nothing new might never end
			break
		}
	}
	if len(items) != total {
		return nil, at, errMoved
	}
	return items, at, nil
}

// onePage reads a page, the first being number 1. The next page is asked for by
// its number: addresses in an answer are not followed.
func onePage[W, T any](ctx context.Context, c *Client, list collection[W, T], number int) (page[T], error) {
	query := url.Values{"page": {strconv.Itoa(number)}, "per_page": {strconv.Itoa(perPage)}}
	for k, v := range list.query {
		query[k] = v
	}
	root, at, err := c.root(ctx, "/"+list.path+"?"+query.Encode())
	if err != nil {
		return page[T]{}, err
	}
	var (
		wire  []W
		links godo.Links
		meta  struct{ Total *int }
	)
	for _, part := range []struct {
		key  string
		into any
	}{{list.key, &wire}, {"links", &links}, {"meta", &meta}} {
		if raw, there := root[part.key]; there {
			if err := json.Unmarshal(raw, part.into); err != nil {
				return page[T]{}, c.failed(http.MethodGet, "/"+list.path, err)
			}
		}
	}
	if _, there := root[list.key]; !there || meta.Total == nil {
		return page[T]{}, c.unclear(http.MethodGet, "/"+list.path, "a page without its items or their number")
	}
	p := page[T]{total: *meta.Total, last: links.IsLastPage(), at: at}
	for _, w := range wire {
		p.items = append(p.items, list.item(w))
	}
	return p, nil
}

// failed makes the error of a call out of what godo returned: the transport's
// own, or one about what is in the answer.
func (c *Client) failed(method, path string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return c.unclear(method, path, err.Error())
}

// unclear is the error of an answer that came and cannot be understood.
func (c *Client) unclear(method, path, flaw string) *Error {
	e := &Error{Kind: Unavailable, Method: method, Path: path, Message: clean(flaw, c.wire.token.Reveal())}
	if mutates(method) {
		e.Kind = Unknown
	}
	return e.say(c.account, c.purpose)
}

// dateOf is DigitalOcean's clock when it answered, zero when it did not say.
func dateOf(resp *godo.Response) time.Time {
	if resp == nil || resp.Response == nil {
		return time.Time{}
	}
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return at.UTC()
}
