package billing

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/arcadia-cloud/arcadia/internal/money"
)

// verifyBurned checks the order in which credit is used. What bills of a subscription gave
// pays its next ones first, all that there is of it, and only then the credit of the
// account, which pays one invoice whole before it pays another.
func (s *Service) verifyBurned(ctx context.Context, issued []Issued, settled []Settlement) (Verification, error) {
	v := Verification{Name: "credit is used in its order"}
	at := make(map[string]*Issued, len(issued))
	for n := range issued {
		at[issued[n].ID] = &issued[n]
	}
	for sub, bills := range billsOf(issued) {
		releases, err := listReleases(ctx, s.db.Read(), sub)
		if err != nil {
			return v, err
		}
		count, wrong, err := burned(bills, releases[sub])
		if err != nil {
			return v, err
		}
		v.Count += count
		v.Wrong = append(v.Wrong, wrong...)
	}
	open, before := make(map[string]int64), make(map[string]string) // by entry, the invoice that it left open
	for _, x := range settled {
		if _, known := open[x.Invoice]; !known {
			open[x.Invoice] = at[x.Invoice].Due
		}
		open[x.Invoice] -= x.Amount
		if x.Kind != ByCredit || x.Amount <= 0 {
			continue
		}
		v.Count++
		if open[x.Invoice] == 0 {
			continue
		}
		if other := before[x.Entry]; other != "" {
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s pays a part of %s and one of %s", x.Entry, other, x.Number))
		}
		before[x.Entry] = x.Number
	}
	slices.Sort(v.Wrong)
	return v, nil
}

// burned follows the credit of a subscription through its bills, and says which of them
// count in more of it than there was, or less than they could. It counts those that had any.
func burned(bills []Issued, releases []release) (count int64, wrong []string, err error) {
	slices.SortFunc(bills, func(a, b Issued) int { return cmp.Or(a.IssueAt.Compare(b.IssueAt), cmp.Compare(a.ID, b.ID)) })
	var credit int64
	for _, i := range bills {
		for len(releases) > 0 && !releases[0].KnownAt.After(i.IssueAt) {
			credit -= releases[0].Amount
			releases = releases[1:]
		}
		if i.Purpose == Credit {
			credit += i.Total
			continue
		}
		var d struct {
			Applied int64 `json:"credit_applied"`
		}
		if err := json.Unmarshal(i.Document, &d); err != nil {
			return count, wrong, err
		}
		want := max(0, min(credit, i.Total))
		if want > 0 || d.Applied > 0 {
			count++
		}
		if d.Applied != want {
			wrong = append(wrong, fmt.Sprintf("%s counts in %s of %s that there was", i.Ref(), money.New(d.Applied, i.Currency), money.New(credit, i.Currency)))
		}
		credit += max(0, -i.Total) - d.Applied
	}
	return count, wrong, nil
}
