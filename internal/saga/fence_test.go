package saga_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/saga"
)

// Every part of the fence refuses by itself: whichever of the others happens to
// agree, a writer who is wrong about one thing writes nothing.
func TestTheFenceComparesEverything(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		inside, leave := make(chan struct{}), make(chan struct{})
		kind := saga.Kind[count]{Name: "held", Steps: []saga.Step[count]{{
			Name: "hold", NothingToUndo: "it does nothing",
			Do: func(ctx context.Context, c *count) error {
				close(inside)
				<-leave
				return nil
			},
		}}}
		o := quick()
		o.Lease = time.Minute
		e := newEngine(t, d, o, kind)
		id := launch(t, e, "held", count{}).ID
		stop := serve(t, e)
		<-inside
		defer func() {
			close(leave)
			stop()
		}()
		write := func(staying bool, tell func(*saga.Knowledge)) bool {
			t.Helper()
			refused, err := e.WriteKnowing(t.Context(), id, staying, tell)
			if err != nil {
				t.Fatal(err)
			}
			return refused
		}
		truth := func(*saga.Knowledge) {}
		for _, staying := range []bool{false, true} {
			for what, tell := range map[string]func(*saga.Knowledge){
				"an older epoch": func(k *saga.Knowledge) { k.Epoch-- },
				"a later epoch":  func(k *saga.Knowledge) { k.Epoch++ },
				"an older rev":   func(k *saga.Knowledge) { k.Rev-- },
				"a later rev":    func(k *saga.Knowledge) { k.Rev++ },
				"another want":   func(k *saga.Knowledge) { k.Want = saga.WantCancel },
				"another owner":  func(k *saga.Knowledge) { k.Owner = "a stranger" },
			} {
				if !write(staying, tell) {
					t.Errorf("a writer who knows %s wrote (staying: %t)", what, staying)
				}
			}
			if write(staying, truth) {
				t.Errorf("the owner itself was refused (staying: %t)", staying)
			}
		}
		err := d.Write(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), fmt.Sprintf(`UPDATE sagas SET lease_until = %s - 1 WHERE id = $1`, db.Now), id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, staying := range []bool{false, true} {
			if !write(staying, truth) {
				t.Errorf("the owner wrote after its lease (staying: %t)", staying)
			}
		}
	})
}

// Where one of several that are written together is refused, nothing of it is
// written, neither steps nor events, and all of the others.
func TestOneRefusedOfManyWritesNothing(t *testing.T) {
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		e := newEngine(t, d, quick(), saga.Kind[count]{Name: "many", Steps: []saga.Step[count]{{
			Name: "a", NothingToUndo: "it does nothing", Do: func(context.Context, *count) error { return nil },
		}}})
		var ids []saga.ID
		for range 5 {
			s, _, err := e.Create(t.Context(), saga.Request{Kind: "many", Input: count{}, RequestedBy: "cli:test"})
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, s.ID)
		}
		mistaken := map[saga.ID]bool{ids[1]: true, ids[4]: true}
		written, err := e.WriteTogether(t.Context(), mistaken, ids...)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range ids {
			s, err := e.Saga(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			events, err := e.Events(t.Context(), id, 0, 10)
			if err != nil {
				t.Fatal(err)
			}
			if ok := !mistaken[id]; written[id] != ok || (s.Rev == 1) != ok || (s.Steps[0].State == saga.StepSkipped) != ok || (len(events) == 1) != ok {
				t.Errorf("saga %d: written %t, rev %d, step %s, %d events; want all or nothing, and all: %t",
					i, written[id], s.Rev, s.Steps[0].State, len(events), ok)
			}
		}
	})
}
