package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// idOf is the id of the subscription that was answered.
func idOf(t *testing.T, answer string) string {
	t.Helper()
	var done client.Subscribed
	if err := json.Unmarshal([]byte(answer), &done); err != nil {
		t.Fatal(err)
	}
	return done.Subscription.ID
}

// What is asked twice with one key is done once, and answered the same.
func TestRequestsAboutMoneyAreDoneOnce(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d, false)
		invoiced(t, d, s.client)
		subscriptions := func() int {
			all, err := s.client.Subscriptions(t.Context(), "acme")
			if err != nil {
				t.Fatal(err)
			}
			return len(all.Items)
		}
		ask := func(path, body, key string) (status int, replayed, text string) {
			status, header, answer := s.do(t, "POST", path, body, "Idempotency-Key", key)
			return status, header.Get("Idempotency-Replayed"), string(answer)
		}
		const order = `{"tenant":"acme","plan":"basic@1"}`
		if status, _, text := ask("/v1/subscriptions", `{"tenant":"acme","plan":"nosuch@1"}`, "k1"); status != 400 {
			t.Fatalf("no plan: %d %s", status, text)
		}
		if status, _, text := ask("/v1/subscriptions", `{"tenant":"acme","plan":"basic@1","dry_run":true}`, "k1"); status != 200 {
			t.Fatalf("a dry run: %d %s", status, text)
		}
		status, replayed, first := ask("/v1/subscriptions", order, "k1")
		if status != 200 || replayed != "" || subscriptions() != 2 {
			t.Fatalf("after what was refused, and a dry run: %d %q %s", status, replayed, first)
		}
		if status, replayed, text := ask("/v1/subscriptions", order, "k1"); status != 200 || replayed != "true" || text != first || subscriptions() != 2 {
			t.Errorf("again: %d %q %s, want %s", status, replayed, text, first)
		}
		if status, _, text := ask("/v1/subscriptions", strings.Replace(order, "}", `,"reason":"another"}`, 1), "k1"); status != 422 || !strings.Contains(text, "another request") {
			t.Errorf("another body: %d %s", status, text)
		}
		sub := idOf(t, first)
		for what, r := range map[string]struct{ path, body string }{
			"a change":        {"/v1/subscriptions/" + sub + "/changes", `{"type":"add","item":"extra","plan":"basic@1"}`},
			"a credit note":   {"/v1/invoices/R-1/credit-notes", `{"line":1,"amount":5,"reason":"outage"}`},
			"a payment":       {"/v1/payments", `{"tenant":"acme","amount":100000,"currency":"EUR"}`},
			"a refund":        {"/v1/refunds", `{"tenant":"acme","amount":10,"currency":"EUR","reason":"paid twice"}`},
			"a migration":     {"/v1/subscription-migrations", `{"from":"basic@1","to":"basic@2"}`},
			"a use of credit": {"/v1/credit-uses", `{"tenant":"acme"}`},
			"a write-off":     {"/v1/invoices/R-1/write-off", `{"reason":"insolvent"}`},
		} {
			status, _, once := ask(r.path, r.body, what)
			again, replayed, text := ask(r.path, r.body, what)
			if status == 200 && (again != 200 || replayed != "true" || text != once) || status != 200 && status != again {
				t.Errorf("%s: %d %s, and again %d %q %s", what, status, once, again, replayed, text)
			}
		}
		before := subscriptions()
		answers := make([]string, 8)
		var asking sync.WaitGroup
		for i := range answers {
			asking.Go(func() {
				status, _, text := ask("/v1/subscriptions", order, "k2")
				answers[i] = fmt.Sprint(status, text)
			})
		}
		asking.Wait()
		if got := subscriptions(); got != before+1 {
			t.Errorf("eight at once made %d subscriptions: %v", got-before, answers)
		}
		if status, replayed, _ := ask("/v1/subscriptions", order, "k2"); status != 200 || replayed != "true" {
			t.Errorf("after them: %d %q", status, replayed)
		}
	})
}

// What is refused about money says what to do, and names no schema.
func TestRefusalsAboutMoneyAreSentences(t *testing.T) {
	d := dbtest.New(t)
	s := serve(t, d, false)
	invoiced(t, d, s.client)
	for _, tt := range []struct{ path, body, want string }{
		{"/v1/payments", `{"tenant":"acme","amount":0,"currency":"EUR"}`, "more than nothing"},
		{"/v1/refunds", `{"tenant":"acme","amount":0,"currency":"EUR","reason":"x"}`, "say what was paid back"},
		{"/v1/refunds", `{"tenant":"acme","amount":5,"currency":"EUR","reason":""}`, "Say why credit is paid back"},
		{"/v1/invoices/R-1/credit-notes", `{"full":true,"reason":""}`, "Say why the invoice is credited"},
		{"/v1/invoices/R-1/write-off", `{"reason":""}`, "Say why the invoice is written off"},
		{"/v1/subscriptions", `{"tenant":"acme","plan":"basic@1","anchor_day":32}`, "1 to 31, not 32"},
	} {
		if status, _, text := s.do(t, "POST", tt.path, tt.body); status != 400 || !strings.Contains(string(text), tt.want) || strings.Contains(string(text), "expected") {
			t.Errorf("%s %s: %d %s", tt.path, tt.body, status, text)
		}
	}
}
