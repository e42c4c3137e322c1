package billing

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/arcadia-cloud/arcadia/internal/db"
)

// A lastNumber is what a series says of the last document that was issued in it.
type lastNumber struct {
	series, hash string
	number       int64
}

// lastNumbers are those of all series.
func lastNumbers(ctx context.Context, q db.Queryer) ([]lastNumber, error) {
	return db.All(ctx, q, func(rows *sql.Rows) (n lastNumber, err error) {
		err = rows.Scan(&n.series, &n.number, &n.hash)
		return n, err
	}, `SELECT series, last, last_hash FROM billing_series ORDER BY series`)
}

// verifyLast compares what series say with the documents that were read after that, by
// their numbers: a number that was taken at the end, or a document that is gone from
// there, leaves no gap between others.
func verifyLast(last []lastNumber, issued []Issued) (gone, others []string) {
	hashes := make(map[string]string, len(issued))
	for _, i := range issued {
		hashes[i.Ref()] = i.Hash
	}
	for _, n := range last {
		ref := fmt.Sprint(n.series, n.number)
		if hash, there := hashes[ref]; !there {
			gone = append(gone, ref+" was taken, and no document has it")
		} else if hash != n.hash {
			others = append(others, ref+" is another than its series says")
		}
	}
	return gone, others
}
