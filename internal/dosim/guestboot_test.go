package dosim_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arcadia-cloud/arcadia/internal/dosim"
	"github.com/arcadia-cloud/arcadia/internal/dosim/dosimtest"
)

// An operator is whom guests call: it notes who asked for what and when.
type operator struct {
	begun  time.Time
	mu     sync.Mutex
	calls  []string
	answer map[string][]int // the statuses by path, in turn; 200 when there is none left
}

func (o *operator) dial(_ context.Context, _, address string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		r, err := http.ReadRequest(bufio.NewReader(server))
		if err != nil {
			return
		}
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(server, "HTTP/1.1 %d Said\r\nContent-Length: 0\r\n\r\n", o.hear(r, address, string(body)))
	}()
	return client, nil
}

func (o *operator) hear(r *http.Request, address, body string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls = append(o.calls, strings.TrimSpace(fmt.Sprintf("%s %s http://%s%s %s", time.Since(o.begun), r.Method, address, r.URL.Path, body)))
	status := 200
	if left := o.answer[r.URL.Path]; len(left) > 0 {
		status, o.answer[r.URL.Path] = left[0], left[1:]
	}
	return status
}

func (o *operator) heard() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.calls)
}

const firstBoot = `#cloud-config
write_files:
  - {path: /etc/motd, content: "curl is a fine thing"}
runcmd:
  - curl -fsS -o /etc/key http://arcadia/once/1
  - [sh, -c, "curl -fsS -X POST http://arcadia:8080/back -d ok"]
`

func bootOptions(o *operator, boot string) dosim.Options {
	options := with(map[string]string{"droplet.create": "25s", "guest.boot": boot})
	options.GuestDial = o.dial
	return options
}

func bootOne(t testing.TB, s *dosimtest.Server, userData string) (id string) {
	t.Helper()
	create := do(t, s, "POST", "/v2/droplets", object{"name": "web", "size": "s-1vcpu-1gb", "region": "nyc3", "image": "debian-12-x64", "user_data": userData})
	wantStatus(t, "create", create, 202)
	return idOf(create, "droplet", "id")
}

func TestAGuestFetchesWhatItsUserDataNames(t *testing.T) {
	for _, test := range []struct {
		boot   string
		answer map[string][]int
		before func(t *testing.T, s *dosimtest.Server, id string)
		want   []string
	}{
		{"0", nil, nil, nil},
		{"1", nil, nil, []string{"25s GET http://arcadia:80/once/1", "25s POST http://arcadia:8080/back ok"}},
		{"1", map[string][]int{"/once/1": {503, 429}, "/back": {410}}, nil, []string{
			"25s GET http://arcadia:80/once/1", "30s GET http://arcadia:80/once/1", "40s GET http://arcadia:80/once/1", "40s POST http://arcadia:8080/back ok",
		}},
		{"1", map[string][]int{"/back": {500, 500, 500, 500, 500, 500, 500}}, nil, []string{
			"25s GET http://arcadia:80/once/1", "25s POST http://arcadia:8080/back ok", "30s POST http://arcadia:8080/back ok", "40s POST http://arcadia:8080/back ok",
			"1m0s POST http://arcadia:8080/back ok", "1m40s POST http://arcadia:8080/back ok", "3m0s POST http://arcadia:8080/back ok",
		}},
		{"1", nil, func(t *testing.T, s *dosimtest.Server, id string) {
			wantStatus(t, "create the tag", do(t, s, "POST", "/v2/tags", object{"name": "x"}), 201)
			wantStatus(t, "tag", do(t, s, "POST", "/v2/tags/x/resources", object{"resources": []object{{"resource_id": id, "resource_type": "droplet"}}}), 204)
			wantStatus(t, "delete", do(t, s, "DELETE", "/v2/droplets?tag_name=x", nil), 204)
		}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := &operator{begun: time.Now(), answer: test.answer}
			s := pipe(t, bootOptions(o, test.boot))
			id := bootOne(t, s, firstBoot)
			if test.before != nil {
				test.before(t, s, id)
			}
			time.Sleep(time.Hour)
			if got := o.heard(); !slices.Equal(got, test.want) {
				t.Errorf("guest.boot %s, answers %v:\n%s\nwant\n%s", test.boot, test.answer, strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestWhichRequestsUserDataMakes(t *testing.T) {
	s := start(t, bootOptions(&operator{}, "1"))
	ok(t, s, "PUT", "/clock", `{"mode":"stepped"}`)
	for userData, want := range map[string]string{
		"#!/bin/bash\ncurl http://a/1": "GET http://a/1",
		"#!/bin/bash\nset -e\n[[ $x == a ]] && curl -sS 'http://a/1?b=2&c=3' \\\n  -H \"X-A: b\" | sh\n": "GET http://a/1?b=2&c=3 map[X-A:b]",
		"#!/bin/sh\nfor i in 1 2; do sudo curl -fsSXPOST --retry 5 http://a/1; done":                     "POST http://a/1",
		"#!/bin/sh\ncurl --data a=1 --data-raw 'b=2' http://a/1":                                         "POST http://a/1 a=1&b=2",
		"#!/bin/sh\ncurl --request PUT -d x -x http://proxy:1 http://a/1 http://a/2":                     "PUT http://a/1 x, PUT http://a/2 x",
		"#!/bin/sh\ncurl -sI http://a/1; wget http://a/2; echo curl; curl $URL":                          "HEAD http://a/1",
		"#cloud-config\nruncmd:\n- [curl, -d, 'a b', http://a/1]\n- 'curl http://a/2'\n":                 "POST http://a/1 a b, GET http://a/2",
		"#cloud-config\nwrite_files:\n- content: |\n    #!/bin/sh\n    curl http://a/1\nruncmd: [sh /x]": "GET http://a/1",
		"#cloud-config\nruncmd: [": "",
		"#!/bin/sh\nif curl":       "",
		"curl":                     "",
	} {
		guest := ok(t, s, "GET", "/guests/"+bootOne(t, s, userData), nil)
		var got []string
		calls, _ := guest["boot"].([]any)
		for _, c := range calls {
			call := fmt.Sprint(at(c, "method"), " ", at(c, "url"))
			for _, key := range []string{"header", "body"} {
				if at(c, key) != nil {
					call += fmt.Sprint(" ", at(c, key))
				}
			}
			got = append(got, call)
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%q makes %q, want %q", userData, got, want)
		}
	}
}

// A guest's calls are real: a process that goes away in their midst makes the rest
// when it is back, and a replay makes none.
func TestABootGoesOnAfterARestartAndNotInAReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &operator{begun: time.Now(), answer: map[string][]int{"/back": {503}}}
		options := bootOptions(o, "1")
		options.Data = filepath.Join(t.TempDir(), "cloud")
		s := pipe(t, options)
		s.Record()
		id := bootOne(t, s, firstBoot)
		time.Sleep(26 * time.Second)
		if got := o.heard(); len(got) != 2 {
			t.Fatalf("within 26 s: %v", got)
		}
		tape, err := s.Recording()
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
		time.Sleep(time.Minute)
		if got := o.heard(); len(got) != 2 {
			t.Errorf("a cloud that is closed: %v", got)
		}
		again := pipe(t, options)
		time.Sleep(time.Second)
		want := []string{"25s GET http://arcadia:80/once/1", "25s POST http://arcadia:8080/back ok", "1m26s POST http://arcadia:8080/back ok"}
		if got := o.heard(); !slices.Equal(got, want) {
			t.Errorf("after the restart: %v, want %v", got, want)
		}
		outcome := func(s interface {
			Guest(int64) (dosim.Guest, error)
		}) (calls []string) {
			g, err := s.Guest(number(t, id))
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range g.Boot {
				calls = append(calls, fmt.Sprintf("%d attempts, done: %v", call.Attempts, call.Done))
			}
			return calls
		}
		if got := outcome(again.Sim); !slices.Equal(got, []string{"1 attempts, done: true", "2 attempts, done: true"}) {
			t.Errorf("after the restart: %v", got)
		}
		replayed, err := dosim.Replay(tape)
		if err != nil {
			t.Fatal(err)
		}
		defer replayed.Close()
		replayed.Clock().Advance(time.Hour)
		time.Sleep(time.Hour)
		if got := outcome(replayed); len(o.heard()) != 3 || !slices.Equal(got, []string{"1 attempts, done: true", "1 attempts, done: false"}) {
			t.Errorf("the replay has done %v and asked for %v", got, o.heard()[3:])
		}
	})
}

func TestAGuestReachesLoopbackAlone(t *testing.T) {
	s := start(t, dosim.Options{Params: with(map[string]string{"guest.boot": "1"}).Params})
	id := bootOne(t, s, "#!/bin/sh\ncurl http://203.0.113.1/once\n")
	for {
		g := ok(t, s, "GET", "/guests/"+id, nil)
		if said := at(g, "boot", 0, "error"); said != nil {
			if !strings.Contains(fmt.Sprint(said), "loopback") {
				t.Errorf("it says %v", said)
			}
			return
		}
		time.Sleep(time.Millisecond) // it tries in its own time
	}
}
