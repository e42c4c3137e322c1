package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"github.com/arcadia-cloud/arcadia/internal/billing"
)

// RequestKey makes a request about money safe to repeat. It is exported because huma
// looks at exported fields only.
type RequestKey struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes the request safe to repeat: it is done once, and the same key and input get the same answer again. A dry run needs none."`
}

func (k RequestKey) requestKey() string { return k.IdempotencyKey }

// kept is an answer that is kept for when its request comes again.
type kept[T any] struct {
	Replayed string `header:"Idempotency-Replayed" doc:"true when the key answered an earlier request."`
	Body     T
}

// registerOnce registers an operation about money that is done once for each key.
func registerOnce[I interface{ requestKey() string }, T any](a *API, h huma.API, op huma.Operation, handle func(context.Context, *I) (*struct{ Body T }, error)) {
	register(a, h, op, func(ctx context.Context, in *I) (*kept[T], error) {
		r := billing.Request{Key: (*in).requestKey()}
		if r.Key != "" {
			text, err := json.Marshal(in)
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256(append([]byte(op.OperationID+"\n"), text...))
			r.Digest = hex.EncodeToString(sum[:])
			if again, err := again[T](ctx, a, r); again != nil || err != nil {
				return again, err
			}
			ctx = billing.WithRequest(ctx, r)
		}
		out, err := handle(ctx, in)
		if errors.Is(err, billing.ErrDone) { // beside this one
			if again, err := again[T](ctx, a, r); again != nil || err != nil {
				return again, err
			}
		}
		if err != nil {
			return nil, err
		}
		if r.Key != "" {
			text, err := json.Marshal(out.Body)
			if err != nil {
				return nil, err
			}
			if err := a.o.Bills.KeepAnswer(ctx, r, text); err != nil {
				return nil, err
			}
		}
		return &kept[T]{Body: out.Body}, nil
	})
}

// again is what was answered to a request before; nil where it was not done yet.
func again[T any](ctx context.Context, a *API, r billing.Request) (*kept[T], error) {
	text, err := a.o.Bills.Answered(ctx, r)
	if text == nil || err != nil {
		return nil, err
	}
	before := &kept[T]{Replayed: "true"}
	return before, json.Unmarshal(text, &before.Body)
}
