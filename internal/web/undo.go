package web

import (
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/id"
	"github.com/arcadia-cloud/arcadia/internal/inventory"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

const (
	undoFor  = time.Hour
	mostUndo = 100
)

// An undo is how resources were assigned before somebody assigned them: enough to
// put that back. It is kept for an hour, by this process; what was assigned is in
// the database.
type undo struct {
	urns []string
	said map[string]inventory.Assignment
	back string // the page that it was asked for on
	at   time.Time
}

// The undos by the keys of the forms that they undo.
type undos struct {
	mu    sync.Mutex
	forms map[string]undo
}

func (u *undos) put(key string, one undo) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, old := range u.forms {
		if len(u.forms) >= mostUndo || one.at.Sub(old.at) > undoFor {
			delete(u.forms, key)
		}
	}
	u.forms[key] = one
}

func (u *undos) get(key string, now time.Time) (undo, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	one, ok := u.forms[key]
	return one, ok && now.Sub(one.at) <= undoFor
}

func (u *undos) drop(key string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.forms, key)
}

func undoPath(key string) string { return ui.Query{Path: "/inventory/undo"}.With("form", key).String() }

// undoable is the address that takes back what the last request came to; empty where
// nothing can be.
func (v *visit) undoable() string {
	key := v.r.URL.Query().Get("undo")
	if _, ok := v.s.undos.get(key, v.now.Time); !ok {
		return ""
	}
	return undoPath(key)
}

func (v *visit) knownUndo() (string, undo, error) {
	key := v.query.Get("form")
	one, ok := v.s.undos.get(key, v.now.Time)
	if !ok {
		return "", one, fault.New(fault.NotFound, "This cannot be taken back at once any more. Assign the resources again, or give them back to the rules.")
	}
	return key, one, nil
}

// askUndo is the page that asks before an assignment is taken back.
func (s *Server) askUndo(v *visit) error {
	key, one, err := v.knownUndo()
	if err != nil {
		return err
	}
	a := assigning{matched: one.urns}
	c := ui.Confirm{
		Title: "Take the assignment back", Verb: "Take back", About: a.about(), Back: one.back, Action: undoPath(key), Key: id.New("form"), NoReason: true, Hidden: url.Values{},
	}
	return v.show(http.StatusOK, undoPage(v.page(c.Title, "/inventory"), c, len(one.said), len(one.urns)-len(one.said)))
}

// undoAssign puts back what was said of the resources before.
func (s *Server) undoAssign(v *visit) error {
	key, one, err := v.knownUndo()
	if err != nil {
		return err
	}
	if _, err := s.o.Inventory.Restore(v.r.Context(), one.urns, one.said, actor); err != nil {
		return err
	}
	s.undos.drop(key)
	return v.redirect(withDid(one.back, "undo", ""))
}
