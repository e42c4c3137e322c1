package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// Without a token to provision with no page offers what would change anything, each
// says why, and what is sent all the same is refused.
func TestWithoutAProvisioningTokenPagesOnlyShow(t *testing.T) {
	for name, writing := range map[string]bool{"with a token": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			s := serveAs(t, dbtest.New(t), writing)
			for _, path := range []string{"/", "/droplets", "/sagas", "/droplets/" + s.drop} {
				page := s.get(t, path).body
				offers := strings.Contains(page, `href="/smoke"`) || strings.Contains(page, `/snapshot"`)
				if says := strings.Contains(page, "arcadia token set provisioning"); offers != writing || says == writing {
					t.Errorf("%s: offers to change something: %t, says why not: %t", path, offers, says)
				}
			}
			for _, path := range []string{"/smoke", "/droplets/" + s.drop + "/snapshot"} {
				if got := s.get(t, path); (got.status == 200) != writing {
					t.Errorf("GET %s: %d", path, got.status)
				}
			}
			got := s.do(t, "POST", "/droplets/"+s.drop+"/snapshot", url.Values{"key": {"form_0193a4c0d1e2738fa1b2c3d4e5f60718"}})
			if refused := got.status == 422 && strings.Contains(got.body, "read-only"); refused == writing {
				t.Errorf("a snapshot is answered with %d", got.status)
			}
		})
	}
}
