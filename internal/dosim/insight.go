package dosim

import (
	"fmt"
	"strings"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim/biller"
	"github.com/arcadia-cloud/arcadia/internal/period"
)

func insightResource() resource {
	return resource{routes: []route{
		op("GET /v2/billing/{account_urn}/insights/{start_date}/{end_date}", listInsights, "billing:read"),
	}}
}

// maxInsightDays is how far the days asked for may be apart.
const maxInsightDays = 31

type insightWire struct {
	UsageTeamURN     string `json:"usage_team_urn"`
	StartDate        string `json:"start_date"`
	TotalAmount      string `json:"total_amount"`
	Region           string `json:"region"`
	SKU              string `json:"sku"`
	Description      string `json:"description"`
	GroupDescription string `json:"group_description"`
}

// listInsights shows what each day added to the bill, once the day is over. How
// DigitalOcean refuses wrong dates and others' teams is an assumption.
func listInsights(c *call) answer {
	urn := c.values["account_urn"]
	if !strings.HasPrefix(urn, "do:team:") && !strings.HasPrefix(urn, "do:teamgroup:") {
		return badRequest("account_urn must be the URN of a team or an organization.")
	}
	start, err1 := time.Parse(time.DateOnly, c.values["start_date"])
	end, err2 := time.Parse(time.DateOnly, c.values["end_date"])
	switch {
	case err1 != nil || err2 != nil || !inTime(start) || !inTime(end):
		return badRequest("start_date and end_date must be in YYYY-MM-DD format.")
	case end.Before(start):
		return badRequest("end_date must not be before start_date.")
	case end.Sub(start) > maxInsightDays*24*time.Hour:
		return badRequest("end_date must be within 31 days of start_date.")
	case urn != c.teamURN():
		return notFound()
	}
	days := period.Period{From: start, To: end.AddDate(0, 0, 1)}
	if today := c.at.Truncate(24 * time.Hour); today.Before(days.To) {
		days.To = today
	}
	points := c.insights(days)

	perPage := min(queryNumber(c.r.URL, "per_page", defaultPerPage), maxPerPage)
	page := queryNumber(c.r.URL, "page", 1)
	last := max(1, (len(points)+perPage-1)/perPage)
	shown := []insightWire{}
	for i := (min(page, last+1) - 1) * perPage; i < len(points) && len(shown) < perPage; i++ {
		p := points[i]
		shown = append(shown, insightWire{
			urn, p.From.Format(time.DateOnly), usd(p.Cents), p.Region, insightSKU(p), p.Description, p.Group,
		})
	}
	return answer{200, map[string]any{
		"data_points": shown, "total_items": len(points), "total_pages": last, "current_page": page,
	}}
}

// insights are the daily charges of the days, none of which is to come.
func (c *call) insights(days period.Period) []biller.Line {
	if days.IsEmpty() {
		return nil
	}
	cu := c.sim.customer(c.account())
	from := period.Period{From: monthOf(days.From), To: days.To}
	used, _ := cu.usages(c.sim.world, from)
	return c.sim.world.termsAt(c.account(), days.To).rules().Insights(days, used)
}

// insightSKU has the form of DigitalOcean's SKUs, 1-DO-DROP-0109, and a number
// of our own.
func insightSKU(l biller.Line) string {
	return fmt.Sprintf("1-%s-%04d", l.Code, hash(0, l.SKU)%10_000)
}
