package api_test

import (
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/client"
	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
)

// A clean-up is planned and applied like all that is done with stacks; its marks are
// listed, and end where somebody has a thing kept.
func TestACleanupOverTheAPI(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := serve(t, d, false)
		c, ctx := s.client, t.Context()
		s.byHand(t, "POST", "/v2/volumes", `{"name":"old","region":"nyc3","size_gigabytes":10}`)
		s.byHand(t, "POST", "/v2/reserved_ips", `{"region":"nyc3"}`)
		s.list(t)
		order := client.PlanOrder{Verb: "cleanup", Account: "default", Options: map[string]string{"wait": "48h"}}
		plan, err := c.MakePlan(ctx, order)
		if err != nil || len(plan.Changes) != 2 || plan.Tenant != "" || plan.MonthlyBefore != "6.000000" || plan.MonthlyAfter != "0.000000" {
			t.Fatalf("the plan: %+v, %v", plan, err)
		}
		if marks, err := c.CleanupMarks(ctx, "", true); err != nil || len(marks.Items) != 0 {
			t.Errorf("a plan marked %+v, %v", marks, err)
		}
		applied, err := c.ApplyPlan(ctx, plan.ID)
		if err != nil || applied.Saga.Kind != "cleanup_orphans" {
			t.Fatalf("applied: %+v, %v", applied, err)
		}
		marks, err := c.CleanupMarks(ctx, "default", false)
		if err != nil || len(marks.Items) != 2 {
			t.Fatalf("marks: %+v, %v", marks, err)
		}
		for _, m := range marks.Items {
			if m.State != "marked" || m.Saga != applied.Saga.ID || m.Due.Sub(m.Since.Time) != 48*time.Hour || m.EndedAt != nil || m.Evidence == "" || m.Monthly == nil {
				t.Errorf("a mark is %+v", m)
			}
		}
		if other, err := c.CleanupMarks(ctx, "prod", true); err != nil || len(other.Items) != 0 {
			t.Errorf("another account has the marks %+v, %v", other, err)
		}
		urn := marks.Items[0].URN
		if kept, err := c.KeepResource(ctx, urn, "Ann needs it"); err != nil || kept.Subject != urn || kept.Reason != "Ann needs it" || kept.Actor != "cli:tester" {
			t.Errorf("kept: %+v, %v", kept, err)
		}
		if left, err := c.CleanupMarks(ctx, "default", false); err != nil || len(left.Items) != 1 || left.Items[0].URN == urn {
			t.Errorf("what is kept is marked: %+v, %v", left, err)
		}
		ended, err := c.CleanupMarks(ctx, "default", true)
		if err != nil || len(ended.Items) != 2 {
			t.Fatalf("all marks: %+v, %v", ended, err)
		}
		for _, m := range ended.Items {
			if m.URN == urn && (m.State != "spared" || m.Why != "cli:tester has it kept: Ann needs it" || m.EndedAt == nil) {
				t.Errorf("the mark of what is kept: %+v", m)
			}
		}
		order.Options["only"] = urn
		if _, err := c.MakePlan(ctx, order); code(err) != "conflict" {
			t.Errorf("what is kept was planned: %v", err)
		}
		if err := c.UnkeepResource(ctx, urn); err != nil {
			t.Error(err)
		}
		if _, err := c.MakePlan(ctx, order); err != nil {
			t.Errorf("what is kept no more is not planned: %v", err)
		}
	})
}
