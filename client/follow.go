package client

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Note is a hint that a saga changed: whoever gets it reads the saga again.
type Note struct {
	Feed  string `json:"-"` // the number of the event in the feed of all sagas
	ID    string `json:"id"`
	Rev   int64  `json:"rev"`
	State string `json:"state"`
}

// Follow calls each for every change, of one saga or, where saga is empty, of all,
// that comes after the event numbered last; empty: from now on. It returns when
// ctx is done, when each returns an error, or when the server ends the stream:
// then the caller may go on after the last Note that it got.
func (c *Client) Follow(ctx context.Context, saga, last string, each func(Note) error) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if last != "" {
		header.Set("Last-Event-ID", last)
	}
	q := url.Values{}
	set(q, "saga", saga)
	res, err := c.send(ctx, http.MethodGet, "/v1/events", q, header, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/event-stream") {
		return c.stranger(res)
	}
	var id, data string
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			id = value
		case "data":
			data = value
		case "":
			if lines.Text() != "" || data == "" {
				continue // a comment, or the end of an event without data
			}
			n := Note{Feed: id}
			if err := json.Unmarshal([]byte(data), &n); err != nil {
				return c.stranger(res)
			}
			data = ""
			if err := each(n); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return c.unreachable(ctx, err)
	}
	return ctx.Err()
}

// lookAgain is how long Watch trusts the hints before it reads the saga anyway.
const lookAgain = time.Second

// Watch calls seen with the saga as it is now and after every change, until it
// rests: ended, stuck, paused or never started. It returns the saga as it rests.
// It reads the saga at least every second, so a lost hint costs no more than that.
func (c *Client) Watch(ctx context.Context, id string, seen func(Saga)) (Saga, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	hints := make(chan struct{}, 1)
	go func() {
		for last := ""; ctx.Err() == nil; {
			err := c.Follow(ctx, id, last, func(n Note) error {
				last = n.Feed
				select {
				case hints <- struct{}{}:
				default:
				}
				return nil
			})
			if err != nil {
				return // reading says why, or does without hints
			}
			select { // the server ended the stream
			case <-ctx.Done():
			case <-time.After(lookAgain):
			}
		}
	}()
	var before Saga
	for {
		s, err := c.Saga(ctx, id)
		if err != nil {
			return s, err
		}
		if differs(before, s) {
			seen(s)
			before = s
		}
		if s.Rests() {
			return s, nil
		}
		t := time.NewTimer(lookAgain)
		select {
		case <-hints:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
	}
}

func differs(a, b Saga) bool {
	until := func(w *Wait) string {
		if w == nil {
			return ""
		}
		return w.Reason + w.Until.String()
	}
	return a.Rev != b.Rev || a.Epoch != b.Epoch || a.State != b.State || a.Want != b.Want || until(a.Wait) != until(b.Wait)
}
