package rating

import (
	"github.com/arcadia-cloud/arcadia/internal/exact"
)

// A Discount takes a percentage or an amount of minor units off.
type Discount struct {
	Percent *exact.Number
	Amount  int64 // where Percent is nil
}

// Off is what the discount takes off lines of so many minor units, those that it
// is about and that are above zero, and each one's share: rounded, so that the
// shares add up, and exact. It takes no more than is there.
func (d Discount) Off(lines []int64) (total int64, shares []int64, parts []exact.Number) {
	weights := make([]int64, len(lines))
	var sum int64
	for i, l := range lines {
		weights[i] = max(l, 0)
		sum += weights[i]
	}
	if sum <= 0 {
		return 0, make([]int64, len(lines)), make([]exact.Number, len(lines))
	}
	total = min(d.Amount, sum)
	if d.Percent != nil {
		total = min(minor(percentOf(exact.Whole(sum), *d.Percent)), sum)
	}
	shares, parts = SpreadBy(total, weights)
	return total, shares, parts
}
