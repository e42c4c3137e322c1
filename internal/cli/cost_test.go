package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
)

// An amount is the same in every command, rounded half away from zero.
func TestMoneyIsRoundedOneWay(t *testing.T) {
	for _, tt := range []struct{ exact, want string }{{"1020.135600", "1020.14"}, {"1020.135000", "1020.14"}, {"1020.134999", "1020.13"}, {"-0.005000", "-0.01"}, {"0.500000", "0.50"}} {
		if got := dollars(tt.exact); got != tt.want {
			t.Errorf("%s is shown as %s, want %s", tt.exact, got, tt.want)
		}
		if got := monthly(client.Estate{Currency: "USD", Monthly: tt.exact}); got != "USD "+tt.want {
			t.Errorf("an estate of %s is shown as %s, want USD %s", tt.exact, got, tt.want)
		}
	}
}

func TestAResourceIsShownInSentences(t *testing.T) {
	var out bytes.Buffer
	acme := "acme"
	r := &runner{Streams: Streams{Out: &out}}
	err := r.showResource(client.Resource{
		Tenant: &acme, Attribution: &client.Attribution{Rule: "manual", Evidence: "Assigned by cli:ops: ours.", Confidence: 100},
		Cost: &client.Cost{Currency: "USD", Monthly: "24.000000", MonthToDate: "1.135600"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"acme (manual: Assigned by cli:ops: ours, 100 %)", "USD 24.00 a month, 1.14 this month so far"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in:\n%s", want, out.String())
		}
	}
}
