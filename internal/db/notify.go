package db

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Notify wakes those who [DB.Listen] to channel once tx has committed. On
// PostgreSQL the hint is part of the commit and reaches every process; on
// SQLite, where there is one process, it goes out right after the commit.
// Several hints for one channel in one transaction are one.
func (d *DB) Notify(ctx context.Context, tx *sql.Tx, channel string) error {
	if d.engine == SQLite {
		d.AfterCommit(tx, func() { d.local.send(channel) })
		return nil
	}
	_, err := tx.ExecContext(ctx, "SELECT pg_notify($1, '')", channel)
	return err
}

// Listen returns a channel that receives after a commit has notified channel.
// What it carries are hints: many may arrive as one, one may be sent when
// nothing happened (after a lost connection was made again), and one may be lost
// while there is no connection, so a listener also looks by itself now and then.
// The channel is closed when ctx or the DB ends.
func (d *DB) Listen(ctx context.Context, channel string) <-chan struct{} {
	hints := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(d.open, cancel)
	if d.engine == SQLite {
		d.local.add(channel, hints)
	}
	d.listeners.Go(func() {
		defer close(hints)
		defer cancel()
		defer stop()
		if d.engine == SQLite {
			<-ctx.Done()
			d.local.remove(channel, hints)
			return
		}
		d.listenPostgres(ctx, channel, hints)
	})
	return hints
}

// hint sends unless one is waiting to be received.
func hint(hints chan<- struct{}) {
	select {
	case hints <- struct{}{}:
	default:
	}
}

// listenPostgres keeps a connection of its own until ctx ends, and makes a lost
// one again after a wait that grows to five seconds.
func (d *DB) listenPostgres(ctx context.Context, channel string, hints chan<- struct{}) {
	const first, most = 50 * time.Millisecond, 5 * time.Second
	wait := first
	for {
		err := d.listenOnce(ctx, channel, func() {
			wait = first
			hint(hints)
		})
		if ctx.Err() != nil {
			return
		}
		d.log.WarnContext(ctx, "PostgreSQL listener lost its connection", "channel", channel, "retry_in", wait, "err", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, most)
	}
}

// listenOnce calls wake when it has begun to listen, because a hint may have
// been lost until then, and for each notification. It returns only with an error.
func (d *DB) listenOnce(ctx context.Context, channel string, wake func()) error {
	conn, err := pgx.ConnectConfig(ctx, d.pgConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return err
	}
	for {
		wake()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}

// A broadcaster hands hints to the listeners of one process.
type broadcaster struct {
	mu        sync.Mutex
	listeners map[string]map[chan struct{}]struct{}
}

func (b *broadcaster) add(channel string, hints chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.listeners == nil {
		b.listeners = make(map[string]map[chan struct{}]struct{})
	}
	if b.listeners[channel] == nil {
		b.listeners[channel] = make(map[chan struct{}]struct{})
	}
	b.listeners[channel][hints] = struct{}{}
}

func (b *broadcaster) remove(channel string, hints chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners[channel], hints)
}

func (b *broadcaster) send(channel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for hints := range b.listeners[channel] {
		hint(hints)
	}
}
