// Package wire gives the values of the domains the shape that they have outside:
// the types of package client. Every surface shows a thing in the same words.
package wire

import (
	"encoding/json"
	"strconv"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/access"
	"github.com/arcadia-cloud/arcadia/internal/digitalocean"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// Saga is a saga, with its steps where s has them.
func Saga(s saga.Saga) client.Saga {
	w := client.Saga{
		ID: string(s.ID), Kind: s.Kind, State: string(s.State), Direction: string(s.Direction), Want: string(s.Want),
		Subjects: present(s.Subjects), Tenant: Text(s.Tenant), RequestedBy: s.RequestedBy, IdempotencyKey: Text(s.IdempotencyKey),
		Epoch: s.Epoch, Rev: s.Rev,
		CreatedAt: client.Time{Time: s.CreatedAt}, StartedAt: client.At(s.StartedAt), FinishedAt: client.At(s.FinishedAt),
		Error: failure(s.Error), Data: object(s.Data),
	}
	if s.Wait != nil {
		w.Wait = &client.Wait{Reason: s.Wait.Reason, Until: client.Time{Time: s.Wait.Until}}
	}
	for _, st := range s.Steps {
		w.Steps = append(w.Steps, client.Step{
			Position: st.Position, Name: st.Name, State: string(st.State), Attempts: st.Attempts, UndoAttempts: st.UndoAttempts,
			StartedAt: client.At(st.StartedAt), FinishedAt: client.At(st.FinishedAt), Output: object(st.Output), Error: failure(st.Error),
		})
	}
	return w
}

// Event is one line of a saga's history.
func Event(e saga.Event) client.Event {
	return client.Event{
		Seq: e.Seq, Rev: e.Rev, At: client.Time{Time: e.At}, Type: e.Type, Step: Text(e.Step), Epoch: e.Epoch,
		Actor: Text(e.Actor), Detail: object(e.Detail),
	}
}

// Droplet is a droplet.
func Droplet(d digitalocean.Droplet) client.Droplet {
	return client.Droplet{
		ID: strconv.FormatInt(d.ID, 10), Name: d.Name, Status: d.Status, Region: d.Region, Size: d.Size,
		Tags: present(d.Tags), CreatedAt: client.At(d.CreatedAt),
	}
}

// Token is what may be shown of a token.
func Token(t access.Token) client.Token {
	source := "stored"
	if t.Given {
		source = "environment"
	}
	return client.Token{
		Account: t.Account, Purpose: string(t.Purpose), Source: source, Last4: t.Last4, Fingerprint: t.Fingerprint,
		CreatedAt: client.At(t.CreatedAt), ExpiresAt: client.At(t.ExpiresAt), LastUsedAt: client.At(t.LastUsedAt), Warning: t.Warning,
	}
}

func failure(e *saga.Error) *client.Failure {
	if e == nil {
		return nil
	}
	return &client.Failure{Code: e.Code, Message: e.Message}
}

// Text is null when it is empty.
func Text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// object is an empty object when there is none.
func object(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("{}")
	}
	return raw
}

// present is an empty list when there is none.
func present(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
