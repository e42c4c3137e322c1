package digitalocean

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

// A Collection is a list of documents as DigitalOcean writes them: what an
// inventory reads, so that fields that nobody here knows survive.
type Collection struct {
	Path    string     // "/v2/droplets"
	Query   url.Values // beside page and per_page
	Key     string     // under which the items stand, "droplets"
	Unpaged bool       // the answer has all, with neither links nor meta
	Keyed   bool       // the items stand in an object, each under its id
	Single  bool       // the answer has one item, or is 404 where there is none
	// Identify returns what tells an item from the others, and false when the
	// item has nothing of the sort, which fails the list.
	Identify func(item json.RawMessage) (string, bool)
	// Progress, unless nil, is told of each answer: the items of this sweep so far
	// and how many the list says it has. It is called from several goroutines.
	Progress func(items, total int)
}

// pagesAtOnce is how many pages of one list are under way together, once the
// first has said how many there are.
const pagesAtOnce = 4

// Documents reads a whole list: every item once, as it was written. The pages
// after the first are read side by side. A list that moves between two pages is
// read again; one that does not come to rest, or of which a page fails, is an
// error and no items. Purposes: inventory, provisioning.
func (c *Client) Documents(ctx context.Context, list Collection) (List[json.RawMessage], error) {
	if err := c.may("Documents", Inventory, Provisioning); err != nil {
		return List[json.RawMessage]{}, err
	}
	began := time.Now()
	for range maxSweeps {
		items, at, err := c.gather(ctx, list)
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return List[json.RawMessage]{}, err
		}
		return List[json.RawMessage]{Items: items, At: at, Began: began}, nil
	}
	return List[json.RawMessage]{}, c.unclear(http.MethodGet, list.Path, fmt.Sprintf("%v, %d times", errMoved, maxSweeps))
}

// Document reads one thing as DigitalOcean writes it: the authority on whether
// it exists, where lists are hints. key is what the thing stands under. It
// answers NotFound when there is none. Purposes: inventory, provisioning.
func (c *Client) Document(ctx context.Context, path, key string) (json.RawMessage, error) {
	if err := c.may("Document", Inventory, Provisioning); err != nil {
		return nil, err
	}
	root, _, err := c.root(ctx, path)
	if err != nil {
		return nil, err
	}
	if _, there := root[key]; !there {
		return nil, c.unclear(http.MethodGet, path, "an answer without its "+key)
	}
	return root[key], nil
}

// root is the outermost object of an answer, and DigitalOcean's clock. The transport
// lets only whole JSON through: it is taken apart here without being checked again,
// which is most of what reading a list costs.
func (c *Client) root(ctx context.Context, path string) (root map[string]json.RawMessage, at time.Time, err error) {
	req, err := c.api.NewRequest(ctx, http.MethodGet, strings.TrimPrefix(path, "/"), nil)
	if err != nil {
		return nil, at, err
	}
	var answer bytes.Buffer
	resp, err := c.api.Do(ctx, req, &answer)
	if err != nil {
		bare, _, _ := strings.Cut(path, "?")
		return nil, at, c.failed(http.MethodGet, bare, err)
	}
	root = map[string]json.RawMessage{}
	gjson.ParseBytes(answer.Bytes()).ForEach(func(key, value gjson.Result) bool {
		root[key.String()] = json.RawMessage(value.Raw)
		return true
	})
	return root, dateOf(resp), nil
}

// gather reads every page once. errMoved says that they do not fit together.
func (c *Client) gather(ctx context.Context, list Collection) (items []json.RawMessage, at time.Time, err error) {
	first, err := c.documentPage(ctx, list, 1)
	if err != nil {
		return nil, at, err
	}
	pages := make([]page[json.RawMessage], max(1, (first.total+perPage-1)/perPage))
	if pages[0] = first; len(pages) > 1 && len(first.items) != perPage {
		return nil, at, errMoved // a page that is not full, and more to come: a gap
	}
	if err := c.rest(ctx, list, pages); err != nil {
		return nil, at, err
	}
	seen := make(map[string]bool, first.total)
	for _, p := range pages {
		if p.total != first.total {
			return nil, at, errMoved
		}
		at = latest(at, p.at)
		for _, item := range p.items {
			id, ok := list.Identify(item)
			if !ok {
				return nil, at, c.unclear(http.MethodGet, list.Path, "an item that does not say which it is")
			}
			if !seen[id] {
				seen[id] = true
				items = append(items, item)
			}
		}
	}
	if len(items) != first.total {
		return nil, at, errMoved
	}
	return items, at, nil
}

// rest reads all pages but the first, several at once.
func (c *Client) rest(ctx context.Context, list Collection, pages []page[json.RawMessage]) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		reading sync.WaitGroup
		mu      sync.Mutex
		read    = len(pages[0].items)
		numbers = make(chan int)
	)
	tell := func(more int) {
		mu.Lock()
		defer mu.Unlock()
		if read += more; list.Progress != nil {
			list.Progress(read, pages[0].total)
		}
	}
	tell(0)
	for range min(pagesAtOnce, len(pages)-1) {
		reading.Go(func() {
			for number := range numbers {
				p, err := c.documentPage(ctx, list, number)
				if err != nil {
					cancel(err)
					return
				}
				pages[number-1] = p
				tell(len(p.items))
			}
		})
	}
	for number := 2; number <= len(pages) && ctx.Err() == nil; number++ {
		select {
		case numbers <- number:
		case <-ctx.Done():
		}
	}
	close(numbers)
	reading.Wait()
	return context.Cause(ctx)
}

func (c *Client) documentPage(ctx context.Context, list Collection, number int) (p page[json.RawMessage], err error) {
	query := url.Values{}
	for k, v := range list.Query {
		query[k] = slices.Clone(v)
	}
	if !list.Unpaged && !list.Single {
		query.Set("page", strconv.Itoa(number))
		query.Set("per_page", strconv.Itoa(perPage))
	}
	path := list.Path
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	root, at, err := c.root(ctx, path)
	if list.Single && errors.Is(err, NotFound) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.at = at
	raw, there := root[list.Key]
	if !there {
		return p, c.unclear(http.MethodGet, list.Path, "a page without its items")
	}
	if list.Single {
		p.items, p.total = []json.RawMessage{raw}, 1
		return p, nil
	}
	if p.items, err = itemsOf(raw, list.Keyed); err != nil {
		return p, c.unclear(http.MethodGet, list.Path, "a page whose items are no list")
	}
	if p.total = len(p.items); list.Unpaged {
		return p, nil
	}
	var meta struct{ Total *int }
	if err := json.Unmarshal(root["meta"], &meta); err != nil || meta.Total == nil || *meta.Total < 0 {
		return p, c.unclear(http.MethodGet, list.Path, "a page without the number of items")
	}
	p.total = *meta.Total
	return p, nil
}

// itemsOf are the items of a page: null where there is none. Those of an object
// are in the order of their keys.
func itemsOf(raw json.RawMessage, keyed bool) (items []json.RawMessage, err error) {
	all := gjson.ParseBytes(raw)
	switch {
	case all.Type == gjson.Null:
		return nil, nil
	case !keyed && !all.IsArray(), keyed && !all.IsObject():
		return nil, errors.New("no list")
	}
	byKey := map[string]json.RawMessage{}
	all.ForEach(func(key, value gjson.Result) bool {
		if item := json.RawMessage(value.Raw); keyed {
			byKey[key.String()] = item
		} else {
			items = append(items, item)
		}
		return true
	})
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		items = append(items, byKey[key])
	}
	return items, nil
}
