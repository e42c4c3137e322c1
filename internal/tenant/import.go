package tenant

import (
	"context"
	"database/sql"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// A Row is one tenant to be imported.
type Row struct {
	Entry
	Line  int    // of the file, from 1; 0 where it is from none
	From  string // where it is from otherwise, "tag tenant:acme of 3 resources": it changes no tenant that there is
	Blank bool   // the file does not say the contact: it stays as it is
}

// An Action says what an import does with a row.
type Action string

// The actions.
const (
	Added     Action = "added"
	Changed   Action = "changed"
	Unchanged Action = "unchanged"
	Refused   Action = "refused"
)

// An Outcome is what becomes of a row.
type Outcome struct {
	Row
	Action Action
	Why    string // of a refusal or a change: what is different
	Tenant Tenant // as it then is; nothing where the row is refused
}

// An Import is what becomes of rows.
type Import struct {
	Outcomes []Outcome
	Done     bool // it was written; false for a dry run, and where a row is refused
}

// Count is how many rows have an action.
func (i Import) Count(a Action) (n int) {
	for _, o := range i.Outcomes {
		if o.Action == a {
			n++
		}
	}
	return n
}

// The bounds of an import.
const (
	maxCSV  = 2 << 20 // bytes
	maxRows = 10_000
)

// ReadCSV reads rows from CSV (RFC 4180) with a heading that names the columns
// slug, name and contact, in any order; only slug must be there. Lines that cannot
// be tenants are rows nonetheless, which Import refuses by line. It answers
// fault.Invalid for what is no such file.
func ReadCSV(text string) ([]Row, error) {
	if len(text) > maxCSV {
		return nil, fault.New(fault.Invalid, "The file is too large: at most %d MiB.", maxCSV>>20)
	}
	reader := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	reader.FieldsPerRecord = -1
	heading, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, fault.New(fault.Invalid, "The file is empty. Its first line names the columns: slug,name,contact")
	}
	if err != nil {
		return nil, unreadable(err)
	}
	column := map[string]int{}
	for i, name := range heading {
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := column[name]; twice || !slices.Contains([]string{"slug", "name", "contact"}, name) {
			return nil, fault.New(fault.Invalid, "Column %d is %q: the columns are slug, name and contact, each once.", i+1, clip(name))
		}
		column[name] = i
	}
	if _, ok := column["slug"]; !ok {
		return nil, fault.New(fault.Invalid, "The file has no column slug. Its first line names the columns: slug,name,contact")
	}
	var rows []Row
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, unreadable(err)
		}
		if len(rows) == maxRows {
			return nil, fault.New(fault.Invalid, "The file has too many lines: at most %d tenants.", maxRows)
		}
		line, _ := reader.FieldPos(0)
		field := func(name string) string {
			if i, ok := column[name]; ok && i < len(record) {
				return strings.TrimSpace(record[i])
			}
			return ""
		}
		row := Row{Entry: Entry{field("slug"), field("name"), field("contact")}, Line: line}
		_, told := column["contact"]
		row.Blank = !told
		if len(record) > len(heading) {
			return nil, fault.New(fault.Invalid, "Line %d has %d fields, and the heading %d.", line, len(record), len(heading))
		}
		rows = append(rows, row)
	}
}

func unreadable(err error) error {
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return fault.New(fault.Invalid, "Line %d is no CSV: %v.", bad.Line, bad.Err)
	}
	return err
}

// Import adds the rows' tenants and changes those that there are, in one
// transaction. Where a row is refused nothing is written, and with dry nothing
// ever is: what would become of each row is in the answer.
func (s *Service) Import(ctx context.Context, rows []Row, dry bool, at time.Time) (done Import, err error) {
	if dry {
		have, err := s.All(ctx)
		if err == nil {
			done = planImport(rows, have, at)
		}
		return done, err
	}
	err = s.db.Write(ctx, func(tx *sql.Tx) (err error) {
		done, err = s.ImportTx(ctx, tx, rows, at)
		return err
	})
	return done, err
}

// ImportTx is [Service.Import] in the caller's transaction.
func (s *Service) ImportTx(ctx context.Context, tx *sql.Tx, rows []Row, at time.Time) (Import, error) {
	have, err := listTenants(ctx, tx, Filter{Limit: -1})
	if err != nil {
		return Import{}, err
	}
	done := planImport(rows, have, at)
	if done.Count(Refused) > 0 {
		return done, nil
	}
	for _, o := range done.Outcomes {
		switch o.Action {
		case Added:
			err = insertTenant(ctx, tx, o.Tenant)
		case Changed:
			err = updateTenant(ctx, tx, o.Tenant)
		}
		if err != nil {
			return done, err
		}
	}
	done.Done = true
	return done, nil
}

// planImport says what becomes of rows, by the tenants that there are.
func planImport(rows []Row, have []Tenant, at time.Time) Import {
	done, by, seen := Import{Outcomes: make([]Outcome, len(rows))}, bySlug(have), map[string]bool{}
	for i, r := range rows {
		done.Outcomes[i] = decide(r, by, seen, at)
	}
	return done
}

func bySlug(tenants []Tenant) map[string]Tenant {
	have := make(map[string]Tenant, len(tenants))
	for _, t := range tenants {
		have[t.Slug] = t
	}
	return have
}

// decide says what becomes of a row.
func decide(r Row, have map[string]Tenant, seen map[string]bool, at time.Time) Outcome {
	unnamed := strings.TrimSpace(r.Name) == ""
	entry, err := r.tidy()
	if err != nil {
		return Outcome{r, Refused, fault.Message(err), Tenant{}}
	}
	if seen[entry.Slug] {
		return Outcome{r, Refused, "The slug stands twice.", Tenant{}}
	}
	seen[entry.Slug] = true
	t, there := have[entry.Slug]
	if !there {
		return Outcome{r, Added, "", newTenant(entry, at)}
	}
	var different []string
	if !unnamed && r.From == "" && t.Name != entry.Name {
		different = append(different, "name")
		t.Name = entry.Name
	}
	if !r.Blank && t.Contact != entry.Contact {
		different = append(different, "contact")
		t.Contact = entry.Contact
	}
	switch {
	case different == nil:
		return Outcome{r, Unchanged, "", t}
	case t.State == Closed:
		return Outcome{r, Refused, "The tenant is closed.", Tenant{}}
	}
	t.ChangedAt = at.UTC().Truncate(time.Microsecond)
	return Outcome{r, Changed, strings.Join(different, " and "), t}
}
