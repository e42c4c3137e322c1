package billing

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/exact"
	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
	"github.com/arcadia-cloud/arcadia/internal/metering"
	"github.com/arcadia-cloud/arcadia/internal/money"
)

// An EntryKind says what an entry of a catalog is.
type EntryKind string

// The kinds, in the order in which they refer to each other.
const (
	MeterEntry  EntryKind = "meter"
	TaxEntry    EntryKind = "tax"
	PlanEntry   EntryKind = "plan"
	CouponEntry EntryKind = "coupon"
)

// lists are the fields of a catalog's document that hold the entries.
var lists = []struct {
	kind  EntryKind
	field string
}{{MeterEntry, "meters"}, {TaxEntry, "taxes"}, {PlanEntry, "plans"}, {CouponEntry, "coupons"}}

// An EntryKey names an entry within the catalog of a currency.
type EntryKey struct {
	Kind    EntryKind
	ID      string
	Version string // of a plan; of a tax from when its rate is; else empty
}

// Ref is the key as people write it: id, or id@version.
func (k EntryKey) Ref() string {
	if k.Version == "" {
		return k.ID
	}
	return k.ID + "@" + k.Version
}

// An Entry is a meter, a tax's rate, a version of a plan, or a coupon, as it is kept.
type Entry struct {
	EntryKey
	Document json.RawMessage // as somebody wrote it
	Offered  bool            // to new subscriptions; one that is not stays for those that have it
	UsedAt   time.Time       // since then it is never changed; zero: it is not used
	AddedAt  time.Time
	AddedBy  string
	position int
	currency money.Currency
}

// frozen reports whether an entry can no longer be another. A tax's rate can until
// the day from which it is, wherever that day begins first.
func (e Entry) frozen(at time.Time) bool {
	if e.UsedAt.IsZero() {
		return false
	}
	if e.Kind != TaxEntry || e.Version == "" {
		return true
	}
	from, err := metering.ParseTime(e.Version, time.UTC)
	return err != nil || !from.Add(-14*time.Hour).After(at)
}

// readEntries reads the document of a catalog, and takes it apart.
func readEntries(name string, document []byte) (*Catalog, []Entry, error) {
	c, entries := new(Catalog), []Entry{}
	err := manifest.Read(name, document, func(v manifest.Value) {
		if c.read(v); v.Failed() {
			return
		}
		if exchange := v.Field("exchange"); exchange.IsSet() {
			exchange.Fail("A catalog that is stored has no rates of exchange: arcadia fx set keeps them.")
			return
		}
		for _, list := range lists {
			v.Field(list.field).Each(func(v manifest.Value) {
				e := Entry{EntryKey: EntryKey{Kind: list.kind, ID: v.Field("id").Text()}, Document: v.JSON(), Offered: true, position: len(entries)}
				switch list.kind {
				case PlanEntry:
					e.Version = v.Field("version").Word()
				case TaxEntry:
					e.Version = v.Field("from").TextOr("")
				}
				entries = append(entries, e)
			})
		}
	})
	return c, entries, err
}

// Document puts the entries of a currency together as one catalog, JSON, which
// [ReadCatalog] reads.
func Document(c money.Currency, entries []Entry) json.RawMessage {
	var b bytes.Buffer
	b.WriteString(`{"currency":` + strconv.Quote(string(c)))
	for _, list := range lists {
		first := true
		for _, e := range entries {
			if e.Kind != list.kind {
				continue
			}
			if first {
				b.WriteString(`,"` + list.field + `":[`)
			} else {
				b.WriteByte(',')
			}
			first = false
			b.Write(e.Document)
		}
		if !first {
			b.WriteByte(']')
		}
	}
	b.WriteByte('}')
	return b.Bytes()
}

// A FieldChange is a field of an entry that is another; Before or After is empty
// where the field was not, or is not any more.
type FieldChange struct{ Field, Before, After string }

// Differences are the fields in which two documents differ, by their names. The
// spelling of a number is no difference.
func Differences(before, after json.RawMessage) []FieldChange {
	was, is := flat(before), flat(after)
	var changes []FieldChange
	for field, b := range was {
		if a := is[field]; !alike(a, b) {
			changes = append(changes, FieldChange{field, b, a})
		}
	}
	for field, a := range is {
		if _, ok := was[field]; !ok {
			changes = append(changes, FieldChange{field, "", a})
		}
	}
	slices.SortFunc(changes, func(a, b FieldChange) int { return cmp.Compare(a.Field, b.Field) })
	return changes
}

func alike(a, b string) bool {
	if a == b {
		return true
	}
	x, wrong := exact.ParseDecimal(a)
	y, too := exact.ParseDecimal(b)
	return wrong == nil && too == nil && x.Equal(y)
}

// flat is the values of a document by where they are: "charges[fee].price".
func flat(document json.RawMessage) map[string]string {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil // it was written by JSON
	}
	values := make(map[string]string)
	var walk func(at string, v any)
	walk = func(at string, v any) {
		switch v := v.(type) {
		case nil: // as if it were not there
		case map[string]any:
			for name, field := range v {
				if at != "" {
					name = at + "." + name
				}
				walk(name, field)
			}
		case []any:
			for i, item := range v {
				walk(at+"["+itemName(item, i)+"]", item)
			}
			if len(v) == 0 {
				values[at] = "[]"
			}
		case string:
			values[at] = v
		default:
			text, _ := json.Marshal(v) // it was read from JSON
			values[at] = string(text)
		}
	}
	walk("", v)
	return values
}

// itemName is what tells an item of a list: its id, or its number.
func itemName(item any, i int) string {
	if o, ok := item.(map[string]any); ok {
		if id, ok := o["id"].(string); ok {
			return id
		}
	}
	return strconv.Itoa(i)
}

// noCatalog says that there is no catalog in a currency.
func noCatalog(c money.Currency) error {
	return fault.New(fault.NotFound, "There is no catalog in %s. Make one with: arcadia catalog apply FILE", c)
}
