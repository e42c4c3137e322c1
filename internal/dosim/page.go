package dosim

import (
	"net/http"
	"net/url"
	"strconv"
)

const (
	defaultPerPage = 20
	maxPerPage     = 200
)

// pages are the links of a list: only those that lead somewhere.
type pages struct {
	First string `json:"first,omitempty"`
	Prev  string `json:"prev,omitempty"`
	Next  string `json:"next,omitempty"`
	Last  string `json:"last,omitempty"`
}

// listPage is the page of all that the call asks for, each item as wire shows
// it, under key, with DigitalOcean's links and meta. A number that is none counts
// as absent; more than 200 per page counts as 200.
func listPage[T, W any](c *call, key string, all []T, wire func(T) W) answer {
	perPage := min(queryNumber(c.r.URL, "per_page", defaultPerPage), maxPerPage)
	page := queryNumber(c.r.URL, "page", 1)
	last := max(1, (len(all)+perPage-1)/perPage)

	// The faults that shift a page move its window, as an insertion or a
	// deletion between two reads does.
	shift := 0
	if page > 1 && page <= last {
		if c.bitten(DuplicateAcrossPages) != nil {
			shift = -1
		} else if c.bitten(MissingAcrossPages) != nil {
			shift = 1
		}
	}
	from, to := len(all), len(all)
	if page <= last {
		from = min((page-1)*perPage+shift, len(all))
		to = min(from+perPage, len(all))
	}
	shown := []W{} // [] rather than null
	for _, thing := range all[from:to] {
		shown = append(shown, wire(thing))
	}

	links := map[string]any{}
	if last > 1 || page > 1 {
		link := func(n int) string { return pageLink(c.r, n, perPage) }
		var p pages
		if page > 1 {
			p.First, p.Prev = link(1), link(min(page-1, last))
		}
		if page < last {
			p.Next, p.Last = link(page+1), link(last)
		}
		links["pages"] = p
	}
	return answer{status: http.StatusOK, body: map[string]any{
		key: shown, "links": links, "meta": map[string]int{"total": len(all)},
	}}
}

// asIs is the wire of what is on the wire as it is stored.
func asIs[T any](t T) T { return t }

func queryNumber(u *url.URL, key string, otherwise int) int {
	if n, err := strconv.Atoi(u.Query().Get(key)); err == nil && n > 0 {
		return min(n, 1<<31-1)
	}
	return otherwise
}

func pageLink(r *http.Request, page, perPage int) string {
	q := r.URL.Query()
	q.Set("page", strconv.Itoa(page))
	q.Set("per_page", strconv.Itoa(perPage))
	return apiURL(r) + r.URL.EscapedPath() + "?" + q.Encode()
}

// apiURL is the address under which the client reached the API.
func apiURL(r *http.Request) string {
	return (&url.URL{Scheme: "http", Host: r.Host}).String()
}
