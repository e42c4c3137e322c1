package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/secret"
)

// How many droplets may ask in a second, and at once. No token is guessed at any rate:
// this bounds what strangers cost.
const (
	asksPerSecond = 50
	asksAtOnce    = 200
)

// IsOneTime reports whether a path is an address that a droplet asks once.
func IsOneTime(path string) bool {
	return strings.HasPrefix(path, provisioning.HandOutPath) || strings.HasPrefix(path, provisioning.CallInPath)
}

// OneTime serves the addresses that droplets ask when they first start:
//
//	GET  /once/{token}  a secret's value, once
//	POST /call/{token}  a call-back of a health probe
//
// Who may: whoever has the token, from any host and under any name of this server, and
// nobody else; there is nothing to log in to. Answers are text and never lead elsewhere.
// Paths are written to no log, since the token is in them.
func (a *API) OneTime() http.Handler {
	limit := rate.NewLimiter(asksPerSecond, asksAtOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
		token, call := strings.CutPrefix(r.URL.Path, provisioning.CallInPath)
		method := http.MethodPost
		if !call {
			token, method = strings.TrimPrefix(r.URL.Path, provisioning.HandOutPath), http.MethodGet
		}
		switch {
		case r.Method != method: // HEAD too: it would use a secret up that nobody gets
			h.Set("Allow", method)
			plain(w, http.StatusMethodNotAllowed, "This address takes "+method+" alone.\n")
		case !limit.Allow():
			h.Set("Retry-After", "1")
			plain(w, http.StatusTooManyRequests, "Too many are asking. Ask again in a second.\n")
		case call:
			err := a.o.Provisioning.CallIn(r.Context(), token, r.RemoteAddr, time.Now())
			a.oneTime(r.Context(), w, "ok\n", err)
		default:
			// Whoever hangs up early must not leave it open whether the secret went out.
			value, err := a.o.Provisioning.HandOut(context.WithoutCancel(r.Context()), token, r.RemoteAddr, time.Now())
			a.oneTime(r.Context(), w, value.Reveal(), err)
		}
	})
}

// oneTime answers text, or why there is none.
func (a *API) oneTime(ctx context.Context, w http.ResponseWriter, text string, err error) {
	switch {
	case err == nil:
		plain(w, http.StatusOK, text)
	case errors.Is(err, secret.ErrUnknown):
		plain(w, http.StatusNotFound, fault.Message(err)+"\n")
	case errors.Is(err, secret.ErrGone):
		plain(w, http.StatusGone, fault.Message(err)+"\n")
	default:
		a.log.ErrorContext(ctx, "a one-time address was asked in vain", "err", err)
		w.Header().Set("Retry-After", "1")
		plain(w, http.StatusServiceUnavailable, "Something went wrong. Ask again.\n")
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // who does not read it needs no word of that
}
