package cli

import (
	"context"
	"errors"

	"github.com/arcadia-cloud/arcadia/client"
)

// A session talks to whoever serves the place. Where that was another command
// which held the data directory and has ended, somebody else serves it by then, or
// this process does.
type session struct {
	r     *runner
	drive bool
	conn  *Connection
}

// connect begins a session. drive says that this process, where it has to serve
// the place by itself, runs sagas too.
func (r *runner) connect(ctx context.Context, drive bool) (*session, error) {
	s := &session{r: r, drive: drive}
	return s, s.open(ctx)
}

func (s *session) open(ctx context.Context) (err error) {
	s.conn, err = s.r.host.Connect(ctx, s.r.place, s.drive)
	return err
}

// close ends the session; what this process serves ends in order.
func (s *session) close() error {
	if s.conn == nil {
		return nil
	}
	return s.conn.Close()
}

// most is how many holders that end one after the other are worth following.
const most = 20

// read asks; it asks again where whoever served has ended meanwhile.
func (s *session) read(ctx context.Context, ask func(*client.Client) error) error {
	return s.try(ctx, ask, func(*client.UnreachableError) bool { return true })
}

// write asks for a change, again only where the first request cannot have arrived.
func (s *session) write(ctx context.Context, ask func(*client.Client) error) error {
	return s.try(ctx, ask, func(gone *client.UnreachableError) bool { return !gone.Sent })
}

func (s *session) try(ctx context.Context, ask func(*client.Client) error, again func(*client.UnreachableError) bool) (err error) {
	for range most {
		err = ask(s.conn.Client)
		var gone *client.UnreachableError
		if !errors.As(err, &gone) || !again(gone) || s.r.place.URL != "" || s.conn.Embedded {
			return err
		}
		if err := s.close(); err != nil {
			return err
		}
		if err := s.open(ctx); err != nil {
			return err
		}
	}
	return err
}

// once runs one request in a session of its own.
func (r *runner) once(ctx context.Context, ask func(*client.Client) error) (err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return s.read(ctx, ask)
}

// fetch is the answer to one request, in a session of its own.
func fetch[T any](ctx context.Context, r *runner, ask func(*client.Client) (T, error)) (answer T, err error) {
	err = r.once(ctx, func(cl *client.Client) (err error) {
		answer, err = ask(cl)
		return err
	})
	return answer, err
}

// send is the answer to one request that changes something, in a session of its own.
func send[T any](ctx context.Context, r *runner, ask func(*client.Client) (T, error)) (answer T, err error) {
	s, err := r.connect(ctx, false)
	if err != nil {
		return answer, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	err = s.write(ctx, func(cl *client.Client) (err error) {
		answer, err = ask(cl)
		return err
	})
	return answer, err
}

// put is send that prints the answer for programs.
func put[T any](ctx context.Context, r *runner, ask func(*client.Client) (T, error)) (answer T, err error) {
	answer, err = send(ctx, r, ask)
	if err == nil && r.json {
		err = r.print(answer)
	}
	return answer, err
}
