package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/inventory"
)

// byHand asks DigitalOcean for something that Arcadia knows nothing of.
func (s *server) byHand(t *testing.T, method, path, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.cloud.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.cloud.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.cloud.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, path, res.Status)
	}
}

// list has the inventory read all that the account has, twice: what one list does not
// show, and what it shows no more, is believed once another says the same.
func (s *server) list(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.stock.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the inventory ended: %v", err)
		}
	}()
	for range 2 {
		time.Sleep(350 * time.Millisecond) // the horizon: lists may be that old
		r, err := s.stock.StartSync(t.Context(), "default", nil, "test")
		for err == nil && r.FinishedAt.IsZero() {
			time.Sleep(5 * time.Millisecond)
			r, err = s.stock.Run(t.Context(), r.ID)
		}
		if err != nil || r.State() != inventory.Complete {
			t.Fatalf("the sync came to %+v, %v", r, err)
		}
	}
}
