package billing

import (
	"errors"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A process that ends after it did what was asked, and before it kept its answer, does
// it once still.
func TestARequestWhoseAnswerWasLostIsNotDoneAgain(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := house(t, d, nil)
		r := Request{Key: "k", Digest: "a"}
		ctx := WithRequest(t.Context(), r)
		if answer, err := s.Answered(ctx, r); answer != nil || err != nil {
			t.Fatalf("before: %s, %v", answer, err)
		}
		order := Order{Tenant: "acme", Plan: "basic@1", By: "test"}
		if _, _, err := s.Subscribe(ctx, order, noon); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Subscribe(ctx, order, noon); !errors.Is(err, ErrDone) {
			t.Errorf("done again: %v", err)
		}
		if _, err := s.Answered(ctx, r); !errors.Is(err, ErrDone) {
			t.Errorf("its answer: %v", err)
		}
		if all, err := s.Subscriptions(ctx, "acme"); err != nil || len(all) != 1 {
			t.Errorf("%d subscriptions, %v", len(all), err)
		}
		if _, err := s.Answered(ctx, Request{Key: "k", Digest: "b"}); !errors.Is(err, fault.Unprocessable) {
			t.Errorf("another request: %v", err)
		}
		if err := s.KeepAnswer(ctx, r, []byte(`{"x":1}`)); err != nil {
			t.Fatal(err)
		}
		if answer, err := s.Answered(ctx, r); err != nil || string(answer) != `{"x":1}` {
			t.Errorf("kept: %s, %v", answer, err)
		}
	})
}

// A key is known for thirty days, and free from then on.
func TestRequestsAreForgotten(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := house(t, d, nil)
		r := Request{Key: "k", Digest: "a"}
		if _, _, err := s.Subscribe(WithRequest(t.Context(), r), Order{Tenant: "acme", Plan: "basic@1", By: "test"}, noon); err != nil {
			t.Fatal(err)
		}
		if n, err := s.ForgetRequests(t.Context(), noon.Add(RequestsKept)); n != 0 || err != nil {
			t.Errorf("on the last day %d were forgotten, %v", n, err)
		}
		if _, err := s.Answered(t.Context(), r); !errors.Is(err, ErrDone) {
			t.Errorf("on the last day: %v", err)
		}
		if n, err := s.ForgetRequests(t.Context(), noon.Add(RequestsKept+time.Second)); n != 1 || err != nil {
			t.Errorf("after it %d were forgotten, %v", n, err)
		}
		if answer, err := s.Answered(t.Context(), r); answer != nil || err != nil {
			t.Errorf("after it: %s, %v", answer, err)
		}
	})
}
