package web_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// form makes the fields of a form that is sent once.
func form(n int, fields ...string) url.Values {
	v := url.Values{"key": {fmt.Sprintf("form_0193a4c0d1e2738fa1b2c3d4e5f6%04d", n)}}
	for i := 0; i+1 < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	return v
}

// What nobody has is found by the plan of a form, marked once that is applied, and listed
// with why, until when and what it costs; kept from the list it is not marked any more,
// and never planned until somebody ends that.
func TestWhatNobodyHasIsCleanedUpByForms(t *testing.T) {
	s := serve(t, dbtest.New(t), dosim.Options{Params: map[string]string{"lag.list_after_create": "0s", "lag.replica": "0s"}})
	if page := s.get(t, "/cleanup").body; !strings.Contains(page, "Nothing is marked") || !strings.Contains(page, "Nothing is kept by hand") || !strings.Contains(page, "arcadia cleanup plan<") {
		t.Error("an empty list does not say why it is, or how to fill it")
	}
	if ask := s.get(t, "/cleanup/plan?only=do:volume:7").body; !strings.Contains(ask, `name="wait" value="168h"`) || !strings.Contains(ask, `name="only" value="do:volume:7" maxlength="4000"`) {
		t.Error("the form does not say how long things stay marked, or does not keep what the address names")
	}
	s.sync(t)
	if none := s.do(t, "POST", "/cleanup/plan", form(1, "account", "default")); none.status != 422 || !strings.Contains(none.body, "nothing that is nobody") {
		t.Errorf("a plan where everything is somebody's is answered with %d", none.status)
	}
	for _, name := range []string{"old", "older"} {
		s.byHand(t, "/v2/volumes", `{"name":"`+name+`","region":"nyc3","size_gigabytes":10}`)
	}
	s.sync(t)
	if short := s.do(t, "POST", "/cleanup/plan", form(2, "account", "default", "wait", "1s")); short.status != 400 || !strings.Contains(short.body, `role="alert"`) || !strings.Contains(short.body, `value="1s"`) {
		t.Errorf("a wait that is too short is answered with %d, or what was given is lost", short.status)
	}
	planned := s.do(t, "POST", "/cleanup/plan", form(3, "account", "default", "wait", "48h"))
	plan := planned.header.Get("Location")
	if page := s.get(t, plan).body; planned.status != 303 || !strings.Contains(page, "Clean up default") || !strings.Contains(page, "No droplet uses this volume of 10 GiB.") || !strings.Contains(page, "arcadia cleanup apply") {
		t.Fatalf("the plan (%d) does not say what would be deleted and why", planned.status)
	}
	if page := s.get(t, "/cleanup").body; !strings.Contains(page, "Nothing is marked") {
		t.Error("a plan marks something")
	}
	if applied := s.do(t, "POST", plan+"/apply", form(4)); applied.status != 303 {
		t.Fatalf("applying is answered with %d", applied.status)
	}
	page := s.get(t, "/cleanup").body
	for _, want := range []string{"Attached to nothing", "No droplet uses this volume of 10 GiB.", "$1.00", "$2.00", " data-in>in ", "/sagas/saga_", "Keep it"} {
		if !strings.Contains(page, want) {
			t.Errorf("the list of marks does not say %q", want)
		}
	}
	var twin struct {
		Marks []client.CleanupMark
		Kept  []client.Protection
	}
	if err := json.Unmarshal([]byte(s.get(t, "/cleanup.json").body), &twin); err != nil || len(twin.Marks) != 2 || len(twin.Kept) != 0 {
		t.Fatalf("the twin is %+v, %v", twin, err)
	}
	urn := twin.Marks[0].URN
	keep := "/cleanup/keep?urn=" + url.QueryEscape(urn)
	if !strings.Contains(page, `href="`+keep+`"`) {
		t.Errorf("the list does not lead to %s", keep)
	}
	if bare := s.do(t, "POST", "/cleanup/keep", form(5, "urn", urn)); bare.status != 400 || !strings.Contains(bare.body, `role="alert"`) {
		t.Errorf("keeping without a reason is answered with %d", bare.status)
	}
	for range 2 {
		if kept := s.do(t, "POST", "/cleanup/keep", form(6, "urn", urn, "reason", "Ann <i>needs</i> it")); kept.status != 303 {
			t.Fatalf("keeping is answered with %d", kept.status)
		}
	}
	page = s.get(t, "/cleanup").body
	if strings.Count(page, "Attached to nothing") != 1 || !strings.Contains(page, "Ann &lt;i&gt;needs&lt;/i&gt; it") || !strings.Contains(page, "/cleanup/unkeep?urn=") {
		t.Error("what is kept is marked still, or does not stand among what is kept")
	}
	if all := s.get(t, "/cleanup?all=true").body; strings.Count(all, "Attached to nothing") != 2 || !strings.Contains(all, "web:local has it kept") {
		t.Error("the list of all marks does not say what was spared, and why")
	}
	if refused := s.do(t, "POST", "/cleanup/plan", form(7, "account", "default", "only", urn)); refused.status != 409 || !strings.Contains(refused.body, "has it kept") {
		t.Errorf("the plan of what is kept is answered with %d", refused.status)
	}
	for _, tt := range []struct {
		name, method, path string
		form               url.Values
		status             int
		says               string
	}{
		{"what is not kept", "GET", "/cleanup/unkeep?urn=do:volume:7", nil, 404, "is not kept"},
		{"nothing", "GET", "/cleanup/keep", nil, 400, "Say which thing"},
		{"a stack", "POST", "/cleanup/unkeep", form(8, "urn", "stack:stack_1"), 400, "named by its URN"},
	} {
		if got := s.do(t, tt.method, tt.path, tt.form); got.status != tt.status || !strings.Contains(got.body, tt.says) {
			t.Errorf("%s: %d, want %d and %q", tt.name, got.status, tt.status, tt.says)
		}
	}
	if ask := s.get(t, "/cleanup/unkeep?urn="+url.QueryEscape(urn)).body; !strings.Contains(ask, "web:local has it kept: Ann &lt;i&gt;needs&lt;/i&gt; it") {
		t.Error("who ends it is not told who had it kept, and why")
	}
	if ended := s.do(t, "POST", "/cleanup/unkeep", form(9, "urn", urn)); ended.status != 303 {
		t.Errorf("ending it is answered with %d", ended.status)
	}
	if again := s.do(t, "POST", "/cleanup/plan", form(10, "account", "default", "only", urn)); again.status != 303 {
		t.Errorf("what is kept no more is planned with %d", again.status)
	}
	if n, err := s.engine.Count(t.Context(), saga.Filter{}); err != nil || n != 1 {
		t.Errorf("%d sagas were begun, %v", n, err)
	}
}
