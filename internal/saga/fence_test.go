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
