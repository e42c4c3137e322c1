// Package fault is the one kind of error that is meant for the person asking.
//
// A fault says what that person did or should know, as a sentence, and carries
// a [Kind] that programs branch on. Every other error is an accident: it is
// logged, and shows as "Something went wrong.".
package fault

import (
	"errors"
	"fmt"
)

// A Kind says what sort of answer a fault is. Its text is the code on the wire.
// A Kind is itself an error, so that callers ask errors.Is(err, fault.NotFound).
type Kind string

// The kinds, with the HTTP status that the surfaces give them.
const (
	Invalid       Kind = "invalid"       // 400: malformed input
	Unauthorized  Kind = "unauthorized"  // 401: who asks is not known
	Forbidden     Kind = "forbidden"     // 403: known, but may not
	NotFound      Kind = "not_found"     // 404
	Conflict      Kind = "conflict"      // 409: not in this state
	TooLarge      Kind = "too_large"     // 413
	Unprocessable Kind = "unprocessable" // 422: well formed, but cannot be done
	TooMany       Kind = "too_many"      // 429
	Internal      Kind = "internal"      // 500: whatever is no fault
	Unavailable   Kind = "unavailable"   // 503: something that we need is out of reach
)

// Error makes a Kind a target for errors.Is.
func (k Kind) Error() string { return string(k) }

// An Error is a fault: its sentence, its kind, and what caused it.
type Error struct {
	kind    Kind
	code    string
	message string
	cause   error
}

// New returns a fault of kind k whose message, formatted as by fmt.Sprintf, is
// a sentence for the person asking.
func New(k Kind, format string, args ...any) error {
	return &Error{kind: k, message: fmt.Sprintf(format, args...)}
}

// Wrap is [New] with a cause, which errors.Is and errors.As find and logs show,
// and which the person asking does not see.
func Wrap(k Kind, cause error, format string, args ...any) error {
	return &Error{kind: k, message: fmt.Sprintf(format, args...), cause: cause}
}

// WithCode returns err with a code finer than its kind for programs to branch
// on, such as "stale_plan". An err that is no fault becomes one of kind
// Internal that keeps its cause to itself; nil stays nil.
func WithCode(err error, code string) error {
	if err == nil {
		return nil
	}
	return &Error{kind: KindOf(err), code: code, message: Message(err), cause: err}
}

// Error is the sentence, followed by the cause for the log.
func (e *Error) Error() string {
	if e.cause == nil || e.cause.Error() == e.message {
		return e.message
	}
	return e.message + " (" + e.cause.Error() + ")"
}

// Unwrap returns the cause, nil when there is none.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is this fault's kind.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.kind
}

// KindOf returns the kind of the outermost fault in err, or the Kind that err
// wraps itself, or Internal when there is neither.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.kind
	}
	if k, ok := errors.AsType[Kind](err); ok {
		return k
	}
	return Internal
}

// Code returns what programs branch on: the code of the outermost fault in err
// when it has one, else the text of its kind.
func Code(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && e.code != "" {
		return e.code
	}
	return string(KindOf(err))
}

// Message returns the sentence of the outermost fault in err, and "Something
// went wrong." when err holds none, so that an accident tells a stranger nothing.
func Message(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.message
	}
	return "Something went wrong."
}
