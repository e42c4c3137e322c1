package digitalocean

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Kind says what an [Error] means to its caller. It is itself an error, so
// that errors.Is(err, digitalocean.PendingEvent) asks for it.
type Kind string

// The kinds of errors. What they say about a change (POST, PUT, DELETE):
// NotSent, and every definite refusal, mean that nothing was changed; Unknown
// means that nobody can tell.
const (
	NotFound      Kind = "not_found"     // 404. Shortly after a create it may lie (reference C, quirk 2)
	PendingEvent  Kind = "pending_event" // 422 "Droplet already has a pending event.": wait and try again
	Conflict      Kind = "conflict"      // 409, 412, and what says the same with another status: a name that is taken, a thing that is attached
	Quota         Kind = "quota"         // 403 or 422: the account has as many as it may have
	RateLimited   Kind = "rate_limited"  // 429, or our own budget would not let it go in time
	Unauthorized  Kind = "unauthorized"  // 401: the token is wrong, expired or revoked
	Forbidden     Kind = "forbidden"     // 403: the token lacks a scope
	Unprocessable Kind = "unprocessable" // 422 and every other definite refusal
	Unavailable   Kind = "unavailable"   // a read got no proper answer: 5xx, no connection, HTML, a body cut short, a list that moved
	Unknown       Kind = "unknown"       // a change was sent and its outcome is not known: timeout, reset, 5xx, HTML, an empty or cut body
	NotSent       Kind = "not_sent"      // refused or failed before anything left for the API
)

// Error makes a Kind an error.
func (k Kind) Error() string { return "digitalocean: " + string(k) }

// An Error is any failure of a call. It matches its Kind with errors.Is, and
// NotSent whenever nothing left this process, whatever its kind. It wraps a
// fault with a sentence for a person.
type Error struct {
	Kind       Kind
	Status     int           // HTTP status, 0 when there was no answer
	Message    string        // DigitalOcean's words or ours: printable, at most maxMessage runes, without the token
	RequestID  string        // x-request-id, for DigitalOcean's support
	Method     string        // GET, POST …
	Path       string        // /v2/droplets/1, without the query
	RetryAfter time.Duration // RateLimited: when a try makes sense; 0 when not known
	Unsent     bool          // nothing left this process

	person error // the fault: what a person reads
	cause  error // what brought it about, when that may be shown: a context's end, a guard's reason
}

// maxMessage is how much of a foreign text an Error keeps, in runes.
const maxMessage = 200

// Error describes the failure for a log.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digitalocean: %s: ", strings.TrimSpace(e.Method+" "+e.Path))
	if e.Status != 0 {
		fmt.Fprintf(&b, "%d ", e.Status)
	}
	b.WriteString(string(e.Kind))
	if e.Unsent && e.Kind != NotSent {
		b.WriteString(" (not sent)")
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

// Is matches the error's kind, and NotSent for everything that was not sent.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && (k == e.Kind || k == NotSent && e.Unsent)
}

// Unwrap returns the fault for a person and the cause, where there are any.
func (e *Error) Unwrap() []error {
	var inner []error
	for _, err := range []error{e.person, e.cause} {
		if err != nil {
			inner = append(inner, err)
		}
	}
	return inner
}

// say gives the error its sentence for a person. The finer code of the fault is
// the kind with a "digitalocean_" before it.
func (e *Error) say(account string, purpose Purpose) *Error {
	subject := subjectOf(e.Path)
	switch e.Kind {
	case NotFound:
		e.person = fault.New(fault.NotFound, "DigitalOcean knows no %s in account %s.", subject, account)
	case PendingEvent:
		e.person = fault.New(fault.Conflict, "At DigitalOcean %s is busy with another action: try again when that has ended.", subject)
	case Conflict:
		e.person = fault.New(fault.Conflict, "DigitalOcean refused a change of %s as it is now: %s", subject, e.words())
	case Quota:
		e.person = fault.New(fault.Unprocessable,
			"Account %s has as much as DigitalOcean lets it have: %s Delete what is not needed, or ask DigitalOcean for a higher limit.", account, e.words())
	case RateLimited:
		e.person = fault.New(fault.TooMany, "The rate limit of the %s token of account %s is used up: %s", purpose, account, e.again())
	case Unauthorized:
		e.person = fault.New(fault.Unprocessable,
			"DigitalOcean does not accept the %s token of account %s: it is wrong, expired or revoked. Set a new one with: %s",
			purpose, account, SetCommand(purpose, account))
	case Forbidden:
		e.person = fault.New(fault.Unprocessable,
			"The %s token of account %s lacks a scope for %s %s. Make one with the scopes %s and set it with: %s",
			purpose, account, e.Method, e.Path, strings.Join(purpose.Scopes(), ", "), SetCommand(purpose, account))
	case Unprocessable:
		e.person = fault.New(fault.Unprocessable, "DigitalOcean refused %s for %s: %s", e.Method, subject, e.words())
	case Unavailable:
		if e.Unsent {
			e.person = fault.New(fault.Unavailable, "DigitalOcean is out of reach: %s Look at the network, and at ARCADIA_DO_API_URL if it is set.", e.words())
			break
		}
		e.person = fault.New(fault.Unavailable, "DigitalOcean gave no proper answer about %s: %s", subject, e.words())
	case Unknown:
		e.person = fault.New(fault.Unavailable, "Whether DigitalOcean carried out %s for %s is not known: %s", e.Method, subject, e.words())
	case NotSent:
		if e.person == nil {
			e.person = fault.New(fault.Forbidden, "The request %s %s was not sent: %s", e.Method, e.Path, e.words())
		}
	}
	e.person = fault.WithCode(e.person, "digitalocean_"+string(e.Kind))
	return e
}

// words is the message as the end of a sentence.
func (e *Error) words() string {
	text := e.Message
	if text == "" {
		text = fmt.Sprintf("status %d", e.Status)
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}

func (e *Error) again() string {
	if e.RetryAfter <= 0 {
		return "try again later."
	}
	return fmt.Sprintf("try again in %s.", max(e.RetryAfter.Round(time.Second), time.Second))
}

// subjectOf names what a path is about: "droplet 12", "snapshot 5", "action 3
// of droplet 12", "list of snapshots".
func subjectOf(path string) string {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(path, "/v2"), "/"), "/")
	for i, part := range parts {
		if i%2 == 0 {
			parts[i] = strings.ReplaceAll(part, "_", " ") // "reserved_ips"
		}
	}
	one := strings.TrimSuffix(parts[0], "s")
	switch len(parts) {
	case 1:
		if parts[0] == "account" {
			return "account"
		}
		return "list of " + parts[0]
	case 2, 3:
		return one + " " + parts[1]
	default:
		return strings.TrimSuffix(parts[2], "s") + " " + parts[3] + " of " + one + " " + parts[1]
	}
}

// refusal is a request that was not sent, with the sentence that says why.
func refusal(method, path string, person error) *Error {
	return &Error{
		Kind: NotSent, Unsent: true, Method: method, Path: path,
		Message: fault.Message(person), person: person,
	}
}

// clean makes a foreign text fit to be kept: the secret taken out (before
// anything is cut, or half of it might stay), on one line, printable, short.
func clean(text, secret string) string {
	if secret != "" {
		text = strings.ReplaceAll(text, secret, "[redacted]")
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsPrint(r) && r != unicode.ReplacementChar:
			return r
		}
		return -1
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > maxMessage {
		text = string(runes[:maxMessage-1]) + "…"
	}
	return text
}
