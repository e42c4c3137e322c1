package tenant_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func TestCheckSlug(t *testing.T) {
	for slug, ok := range map[string]bool{
		"acme": true, "a": true, "4711": true, "acme-gmbh-2": true, strings.Repeat("a", 63): true,
		"": false, "Acme": false, "-acme": false, "acme-": false, "acme_gmbh": false, "acmé": false, "a:b": false, "a b": false,
		"ten_1": false, "none": false, "all": false, strings.Repeat("a", 64): false, "acme\n": false,
	} {
		if err := tenant.CheckSlug(slug); (err == nil) != ok {
			t.Errorf("CheckSlug(%q) = %v, want ok: %t", slug, err, ok)
		}
	}
}

func FuzzSlugOf(f *testing.F) {
	for _, name := range []string{"Acme GmbH & Co.", "", "ünïcode", "--", strings.Repeat("x y", 99), "None"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		slug := tenant.SlugOf(name)
		if slug != "" && slug != "none" && slug != "nobody" && slug != "all" && tenant.CheckSlug(slug) != nil {
			t.Errorf("SlugOf(%q) = %q, which is no slug", name, slug)
		}
	})
}

func add(t *testing.T, s *tenant.Service, slug string) tenant.Tenant {
	t.Helper()
	made, err := s.Add(t.Context(), tenant.Entry{Slug: slug}, noon)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestTheLifeOfATenant(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := tenant.New(d), t.Context()
		acme, err := s.Add(ctx, tenant.Entry{Slug: "acme", Name: " Acme GmbH ", Contact: "ops@acme.example"}, noon)
		if err != nil || acme.Name != "Acme GmbH" || acme.State != tenant.Active {
			t.Fatalf("Add = %+v, %v", acme, err)
		}
		if _, err := s.Add(ctx, tenant.Entry{Slug: "acme"}, noon); !errors.Is(err, fault.Conflict) {
			t.Errorf("a second acme: %v, want a conflict", err)
		}
		for _, ref := range []string{"acme", string(acme.ID)} {
			if got, err := s.Tenant(ctx, ref); err != nil || got != acme {
				t.Errorf("Tenant(%q) = %+v, %v; want %+v", ref, got, err, acme)
			}
		}
		empty := ""
		if got, err := s.Change(ctx, "acme", tenant.Edit{Contact: &empty}, noon.Add(time.Hour)); err != nil || got.Contact != "" || got.Name != acme.Name {
			t.Errorf("Change = %+v, %v", got, err)
		}
		for _, step := range []struct {
			name string
			do   func() (tenant.Tenant, error)
			want tenant.State // empty: refused
		}{
			{"resume an active one", func() (tenant.Tenant, error) { return s.Resume(ctx, "acme", noon) }, ""},
			{"suspend", func() (tenant.Tenant, error) { return s.Suspend(ctx, "acme", noon) }, tenant.Suspended},
			{"suspend again", func() (tenant.Tenant, error) { return s.Suspend(ctx, "acme", noon) }, ""},
			{"resume", func() (tenant.Tenant, error) { return s.Resume(ctx, "acme", noon) }, tenant.Active},
			{"close", func() (tenant.Tenant, error) { return s.Close(ctx, "acme", noon) }, tenant.Closed},
			{"close again", func() (tenant.Tenant, error) { return s.Close(ctx, "acme", noon) }, ""},
			{"resume a closed one", func() (tenant.Tenant, error) { return s.Resume(ctx, "acme", noon) }, ""},
		} {
			got, err := step.do()
			if step.want == "" && !errors.Is(err, fault.Conflict) || step.want != "" && (err != nil || got.State != step.want) {
				t.Errorf("%s: %+v, %v; want %q", step.name, got, err, step.want)
			}
		}
		if _, err := s.Tenant(ctx, "nosuch"); !errors.Is(err, fault.NotFound) {
			t.Errorf("Tenant(nosuch): %v, want not found", err)
		}
	})
}

// A tenant that is closed while the process is killed, before or after any statement, is
// as it was or closed, and closing it again leaves it closed since then.
func TestClosingIsKilledAtEveryStatement(t *testing.T) {
	at := noon.Add(time.Hour)
	var before tenant.Tenant
	killing := dbtest.Killing{
		Prepare: func(t *testing.T, d *db.DB) { before = add(t, tenant.New(d), "acme") },
		Do: func(t *testing.T, d *db.DB) error {
			_, err := tenant.New(d).Close(t.Context(), "acme", at)
			return err
		},
		Check: func(t *testing.T, d *db.DB, where string) {
			want := before
			want.State, want.ChangedAt = tenant.Closed, at
			left, err := tenant.New(d).Tenant(t.Context(), "acme")
			if err != nil || left != before && left != want {
				t.Errorf("killed %s, it is left %+v, %v", where, left, err)
			}
			if got, err := tenant.New(d).Close(t.Context(), "acme", at); left == before && (err != nil || got != want) || left == want && !errors.Is(err, fault.Conflict) {
				t.Errorf("killed %s, and closed again: %+v, %v", where, got, err)
			}
		},
	}
	if points := killing.Every(t, db.SQLite, 1); points < 6 {
		t.Errorf("killed at %d points", points)
	}
	t.Run("postgres", func(t *testing.T) { killing.Every(t, db.Postgres, 3) })
}

func TestListsHavePagesAndASearch(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := tenant.New(d)
		for _, slug := range []string{"delta", "acme", "beta-2", "gamma", "beta"} {
			add(t, s, slug)
		}
		if _, err := s.Add(t.Context(), tenant.Entry{Slug: "omega", Name: "50%_BETA"}, noon); err != nil {
			t.Fatal(err)
		}
		read := func(f tenant.Filter) (slugs []string) {
			for {
				page, next, err := s.Tenants(t.Context(), f)
				if err != nil || len(page) > f.Limit {
					t.Fatalf("a page of %d: %v", len(page), err)
				}
				for _, one := range page {
					slugs = append(slugs, one.Slug)
				}
				if f.Cursor = next; next == "" {
					return slugs
				}
			}
		}
		for search, want := range map[string][]string{
			"":     {"acme", "beta", "beta-2", "delta", "gamma", "omega"},
			"BETA": {"beta", "beta-2", "omega"},
			"%_":   {"omega"},
			"zzz":  nil,
		} {
			if got := read(tenant.Filter{Search: search, Limit: 2}); !slices.Equal(got, want) {
				t.Errorf("search %q finds %q, want %q", search, got, want)
			}
		}
	})
}

func TestReadCSV(t *testing.T) {
	rows, err := tenant.ReadCSV("\ufeffName,slug\r\n\"Acme, Inc.\",acme\r\n,beta\r\n")
	if err != nil || len(rows) != 2 || rows[0].Name != "Acme, Inc." || rows[0].Slug != "acme" || rows[1].Line != 3 || !rows[1].Blank {
		t.Errorf("ReadCSV = %+v, %v", rows, err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no slug": "name\nx\n", "a stranger": "slug,colour\nacme,red\n", "one twice": "slug,slug\na,b\n",
		"a quote": "slug\n\"acme\n", "too many fields": "slug\nacme,extra\n",
	} {
		if _, err := tenant.ReadCSV(text); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v, want it refused", name, err)
		}
	}
}

func FuzzReadCSV(f *testing.F) {
	f.Add("slug,name,contact\nacme,Acme,x@y\n")
	f.Add("slug\n\"a\nb\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := tenant.ReadCSV(text); err != nil && fault.KindOf(err) != fault.Invalid {
			t.Errorf("ReadCSV(%q): %v", text, err)
		}
	})
}

func TestImport(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s, ctx := tenant.New(d), t.Context()
		add(t, s, "same")
		add(t, s, "other")
		read := func(text string) []tenant.Row {
			rows, err := tenant.ReadCSV(text)
			if err != nil {
				t.Fatal(err)
			}
			return rows
		}
		good := read("slug,name\nsame,same\nother,Another\nfresh,Fresh\n")
		want := []tenant.Action{tenant.Unchanged, tenant.Changed, tenant.Added}
		for _, dry := range []bool{true, false} {
			before, _ := s.All(ctx)
			done, err := s.Import(ctx, good, dry, noon)
			if err != nil || done.Done == dry {
				t.Fatalf("Import, dry %t: %+v, %v", dry, done, err)
			}
			for i, o := range done.Outcomes {
				if o.Action != want[i] {
					t.Errorf("dry %t, line %d is %s, want %s", dry, o.Line, o.Action, want[i])
				}
			}
			after, _ := s.All(ctx)
			if dry && !slices.Equal(before, after) {
				t.Error("a dry run changed something")
			}
		}
		if got, err := s.Tenant(ctx, "other"); err != nil || got.Name != "Another" {
			t.Errorf("after the import: %+v, %v", got, err)
		}
		before, _ := s.All(ctx)
		done, err := s.Import(ctx, read("slug\nnew-one\nBad Slug\nnew-one\n"), false, noon)
		if err != nil || done.Done || done.Count(tenant.Refused) != 2 || done.Outcomes[1].Why == "" {
			t.Errorf("an import with bad lines: %+v, %v", done, err)
		}
		if after, _ := s.All(ctx); !slices.Equal(before, after) {
			t.Error("a refused import changed something")
		}
	})
}
