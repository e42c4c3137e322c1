package billing

import (
	"context"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/rating"
)

// An ExplainedLine is a line of a document that was issued with what it rests on. Its
// Explain is the line's as it was issued; events and lives are as they are known now.
type ExplainedLine struct {
	Number int // from 1
	Line
	Events []metering.Event // those that Explain names
	Others int64            // events that count in it and that it does not name
	Lives  []metering.Life  // of the resources that Explain names, that share an instant with the service
}

// Explain says how the lines of a document came about, one of them or, where line is 0,
// all: down to the events and the lifetimes of resources that count in them. It answers
// fault.NotFound for no document, and for no such line.
func (s *Service) Explain(ctx context.Context, ref string, line int) (Issued, []ExplainedLine, error) {
	i, err := s.Invoice(ctx, ref)
	if err != nil {
		return i, nil, err
	}
	inv, _, err := i.Read()
	if err != nil {
		return i, nil, err
	}
	if line < 0 || line > len(inv.Lines) {
		return i, nil, fault.New(fault.NotFound, "%s has no line %d: its lines are 1 to %d.", i.Ref(), line, len(inv.Lines))
	}
	var lines []ExplainedLine
	names, rests := make([]basis, len(inv.Lines)), false
	for n, l := range inv.Lines {
		if line == 0 || line == n+1 {
			lines = append(lines, ExplainedLine{Number: n + 1, Line: l})
			names[n].read(l.Explain)
			rests = rests || len(names[n].events) > 0 || len(names[n].urns) > 0
		}
	}
	if !rests {
		return i, lines, nil
	}
	facts, err := s.factsBehind(ctx, i)
	if err != nil {
		return i, nil, err
	}
	for n := range lines {
		lines[n].support(names[lines[n].Number-1], facts)
	}
	return i, lines, nil
}

// factsBehind are those that the document's subscription rested on at its issue.
func (s *Service) factsBehind(ctx context.Context, i Issued) (Facts, error) {
	a, err := s.Agreement(ctx, i.Subscription)
	if err != nil {
		return Facts{}, err
	}
	catalog, err := s.StoredCatalog(ctx, a.Currency)
	if err != nil {
		return Facts{}, err
	}
	return s.ask(ctx, &a, catalog, Asked{Tenant: a.Tenant, Until: i.IssueAt, Evidence: true})
}

// support adds the facts that a line's explanation names.
func (l *ExplainedLine) support(of basis, facts Facts) {
	for _, e := range facts.Events {
		if of.events[e.Name()] {
			l.Events = append(l.Events, e)
		}
	}
	l.Others = max(0, of.count-int64(len(of.events)))
	for _, life := range facts.Lives {
		during := life.Until(l.Service.To.Time)
		if of.urns[life.URN] && life.From.Before(l.Service.To.Time) && during.To.After(l.Service.From.Time) {
			l.Lives = append(l.Lives, life)
		}
	}
}

// A basis is what an explanation names.
type basis struct {
	events map[string]bool
	urns   map[string]bool
	count  int64 // of events, named or not
}

// read walks through an explanation. What was billed before, and is the part of a
// reversal or of an adjustment, rests on the same facts.
func (n *basis) read(e rating.Explanation) {
	if n.events == nil {
		n.events, n.urns = make(map[string]bool), make(map[string]bool)
	}
	for _, f := range e.Facts {
		switch f.Name {
		case "event_ids":
			for _, name := range f.Texts {
				n.events[name] = true
			}
		case "events":
			if count, err := exact.ParseDecimal(f.Text); err == nil { // as it was written by Num
				n.count += count.Units(0).Int64()
			}
		case "urn":
			n.urns[f.Text] = true
		case "urns":
			for _, urn := range f.Texts {
				n.urns[urn] = true
			}
		}
	}
	for _, part := range e.Of {
		n.read(part)
	}
}
