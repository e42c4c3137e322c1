package main_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dosim"
)

// isSentence reports whether a complaint is one line that begins and ends as one.
func isSentence(text string) bool {
	line, rest, _ := strings.Cut(text, "\n")
	command := strings.LastIndex(line, ": arcadia ") > 0 // the sentence ends with a command to type
	return rest == "" && strings.HasPrefix(line, "arcadia: ") && (command || strings.HasSuffix(line, ".") || strings.HasSuffix(line, "?"))
}

// What cannot be done is refused with one sentence, and changes nothing.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	reader := h.cloud.CreateToken(dosim.TokenSpec{Scopes: []string{"account:read", "droplet:read", "actions:read"}})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	// Nobody listens there, and no server that takes any free port, as those of
	// other tests do, is ever given it.
	const nobody = "127.0.0.1:1"
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("no directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	openKey := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(openKey, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}

	stepz := filepath.Join(t.TempDir(), "stepz.yaml")
	if err := os.WriteFile(stepz, []byte("stepz: []"), 0o600); err != nil {
		t.Fatal(err)
	}

	for _, tt := range []struct {
		name string
		set  []string
		args []string
		in   string
		code int
		says []string
	}{
		{"an unknown droplet by name", nil, []string{"snapshot", "web-9"}, "", 1, []string{`"web-9"`}},
		{"an unknown droplet by id", nil, []string{"smoke", "--droplet", "17"}, "", 1, []string{"droplet 17"}},
		{"a malformed id of a saga", nil, []string{"saga", "show", "saga_12"}, "", 2, []string{`"saga_12"`, "32 hexadecimal"}},
		{"an unknown saga", nil, []string{"saga", "watch", "saga_" + strings.Repeat("0", 32)}, "", 1, []string{"There is no saga"}},
		{"no token", []string{"ARCADIA_DO_TOKEN_PROVISIONING"}, []string{"snapshot", "web-1"}, "", 1, []string{"no provisioning token", "arcadia token set provisioning"}},
		{"a wrong token", []string{"ARCADIA_DO_TOKEN_PROVISIONING=dop_v0_wrong_wrong_wrong"}, []string{"snapshot", "web-1"}, "", 1, []string{"does not accept", "token set provisioning"}},
		{"a token of another purpose", []string{"ARCADIA_DO_TOKEN_PROVISIONING", "ARCADIA_DO_TOKEN_INVENTORY=" + reader}, []string{"snapshot", "web-1"}, "", 1, []string{"no provisioning token"}},
		{"an unreachable API", []string{"ARCADIA_DO_API_URL=http://" + nobody}, []string{"snapshot", "web-1"}, "", 1, []string{"out of reach", "connection refused", "ARCADIA_DO_API_URL"}},
		{"an API address that is none", []string{"ARCADIA_DO_API_URL=nowhere"}, []string{"snapshot", "web-1"}, "", 2, []string{"ARCADIA_DO_API_URL"}},
		{"an unreachable server", []string{"ARCADIA_URL=http://" + nobody}, []string{"saga", "list"}, "", 1, []string{nobody, "ARCADIA_URL"}},
		{"a server that is none", []string{"ARCADIA_URL=" + h.cloud.URL}, []string{"saga", "list"}, "", 1, []string{"not Arcadia"}},
		{"a server address that is none", []string{"ARCADIA_URL=here"}, []string{"saga", "list"}, "", 2, []string{`"here"`}},
		{"a port in use", nil, []string{"serve", "--addr", taken.Addr().String()}, "", 1, []string{"in use", "--addr"}},
		{"an address for strangers", nil, []string{"serve", "--addr", "0.0.0.0:0"}, "", 2, []string{"no log-in"}},
		{"an address by name", nil, []string{"serve", "--addr", "example.com:4000"}, "", 2, []string{"no log-in"}},
		{"no address", nil, []string{"serve", "--addr", "4000"}, "", 2, []string{"host and a port"}},
		{"a simulator for strangers", nil, []string{"dosim", "--addr", "0.0.0.0:0"}, "", 2, []string{"--addr"}},
		{"a simulator whose clock stands", nil, []string{"dosim", "--speed", "0"}, "", 2, []string{"above 0"}},
		{"a scenario that is none", nil, []string{"dosim", "--addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--scenario", stepz}, "", 2, []string{"no scenario", "[1:1]", "stepz"}},
		{"a role that needs PostgreSQL", nil, []string{"serve", "--addr", "127.0.0.1:0", "--role", "worker"}, "", 2, []string{"PostgreSQL"}},
		{"a data directory that is a file", []string{"ARCADIA_DATA_DIR=" + file}, []string{"saga", "list"}, "", 1, []string{file}},
		{"a key file for everybody", []string{"ARCADIA_MASTER_KEY_FILE=" + openKey}, []string{"token", "list"}, "", 1, []string{"chmod 600"}},
		{"a key file that is not there", []string{"ARCADIA_MASTER_KEY_FILE=" + openKey + "2"}, []string{"token", "list"}, "", 1, []string{"ARCADIA_MASTER_KEY_FILE"}},
		{"a duration that is none", []string{"ARCADIA_LEASE=soon"}, []string{"saga", "list"}, "", 2, []string{"ARCADIA_LEASE"}},
		{"a duration of nothing", []string{"ARCADIA_DO_POLL=0s"}, []string{"saga", "list"}, "", 2, []string{"ARCADIA_DO_POLL"}},
		{"a database that is none", []string{"ARCADIA_DATABASE_URL=mysql://here"}, []string{"saga", "list"}, "", 2, []string{"sqlite://"}},
		{"an unknown flag", nil, []string{"snapshot", "web-1", "--fast"}, "", 2, []string{"--fast", "arcadia snapshot --help"}},
		{"an unknown command", nil, []string{"snapshoot"}, "", 2, []string{"snapshoot"}},
		{"half a command", nil, []string{"saga"}, "", 2, []string{"arcadia saga --help"}},
		{"a state that is none", nil, []string{"saga", "list", "--state", "done"}, "", 2, []string{"rolled_back"}},
		{"an output that is no object", nil, []string{"saga", "mark-done", "saga_" + strings.Repeat("0", 32), "--output", "7"}, "", 2, []string{"JSON object"}},
		{"a token as an argument", nil, []string{"token", "set", "billing", "dop_v1_secret_secret"}, "", 2, []string{"standard input"}},
		{"a purpose that is none", nil, []string{"token", "set", "writing"}, "dop_v1_x", 2, []string{"inventory, provisioning or billing"}},
		{"an empty token", nil, []string{"token", "set", "billing"}, "\n", 2, []string{"standard input"}},
		{"two tokens", nil, []string{"token", "set", "billing"}, "dop_v1_a\ndop_v1_b\n", 2, []string{"paste it alone"}},
		{"no token to forget", nil, []string{"token", "rm", "billing"}, "", 1, []string{"no billing token"}},
		{"a droplet without a name", nil, []string{"snapshot", ""}, "", 2, []string{"which droplet"}},
		{"a droplet that is a path", nil, []string{"smoke", "--droplet", ".."}, "", 2, []string{"which droplet"}},
		{"a page of nothing", nil, []string{"saga", "list", "--limit", "0"}, "", 2, []string{"1 to 200"}},
		{"neither droplet nor demo", nil, []string{"smoke"}, "", 2, []string{"--droplet"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := h.with(tt.set...).pipe(t, tt.in, tt.args...)
			if r.code != tt.code || r.out != "" || !isSentence(r.err) {
				t.Errorf("exit %d, want %d and one sentence:\n%s%s", r.code, tt.code, r.out, r.err)
			}
			for _, want := range tt.says {
				if !strings.Contains(r.err, want) {
					t.Errorf("it does not say %q: %s", want, r.err)
				}
			}
			if strings.Contains(r.err, "dop_v") {
				t.Errorf("it shows a token: %s", r.err)
			}
		})
	}
	if h.posted() != 0 {
		t.Errorf("the refusals sent %d requests that change something", h.posted())
	}
	if text := h.run(t, "saga", "list", "--json").want(t, 0).out; !strings.Contains(text, `"items": []`) {
		t.Errorf("the refusals left sagas:\n%s", text)
	}
}

// With --json a refusal is a problem on standard error.
func TestRefusalsForPrograms(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for code, args := range map[int][]string{1: {"snapshot", "web-9", "--json"}, 2: {"snapshot", "--json", "--fast"}} {
		r := h.run(t, args...).want(t, code)
		if p := exactly[wireProblem](t, r.err); p.Code == "" || p.Detail == "" || p.Status < 400 || p.Title == "" || r.out != "" {
			t.Errorf("%v: %+v, and on standard output %q", args, p, r.out)
		}
	}
}

// A token that lacks a scope is found when the cloud refuses it.
func TestTokenWithoutScope(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	reader := h.cloud.CreateToken(dosim.TokenSpec{Scopes: []string{"account:read", "droplet:read", "actions:read"}})
	r := h.with("ARCADIA_DO_TOKEN_PROVISIONING="+reader).run(t, "snapshot", "web-1")
	if r.code == 0 || !strings.Contains(r.out+r.err, "lacks a scope") {
		t.Errorf("exit %d:\n%s%s", r.code, r.out, r.err)
	}
	if len(h.snapshots()) != 0 {
		t.Error("a token without the scope made a snapshot")
	}
}

func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(t, "migrate").want(t, 0)
	d, err := db.Open(t.Context(), "sqlite://"+filepath.Join(h.dir, "arcadia.db"), db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	write, _ := d.SQLDB()
	if _, err := write.ExecContext(t.Context(), `INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (9999, 'tomorrow', '', 0)`); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"saga", "list"}, {"migrate"}, {"serve", "--addr", "127.0.0.1:0"}} {
		if r := h.run(t, args...).want(t, 1); !isSentence(r.err) || !strings.Contains(r.err, "newer") {
			t.Errorf("%v: %s", args, r.err)
		}
	}
	if r := h.run(t, "doctor").want(t, 1); !strings.Contains(r.out, "newer") {
		t.Errorf("the doctor says\n%s", r.out)
	}
}

// Somebody who may not write the data directory, and a disk that takes no more.
func TestNowhereToWrite(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("taking the right to write away from oneself needs root")
	}
	h := newHouse(t)
	h.run(t, "migrate").want(t, 0)
	for dir := h.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := h.command(t, "saga", "list")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if r := finish(t, c, "").want(t, 1); !isSentence(r.err) || !strings.Contains(r.err, h.dir) {
		t.Errorf("a directory that is another user's: %s", r.err)
	}

}

// A disk that takes no more: a small one of memory, which only the command sees.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	const script = `mount -t tmpfs -o size=2m tmpfs "$ARCADIA_DATA_DIR" || exit 77
		"$0" migrate >/dev/null || exit 78
		dd if=/dev/zero of="$ARCADIA_DATA_DIR/rest" bs=1k 2>/dev/null
		exec "$0" snapshot web-1`
	c := exec.CommandContext(t.Context(), "unshare", "--mount", "sh", "-c", script, binary)
	c.Env = h.env
	if c.Err != nil {
		t.Skip("there is no unshare here to mount a small disk with")
	}
	r := finish(t, c, "")
	if r.code != 1 && !strings.HasPrefix(r.err, "arcadia: ") {
		t.Skipf("no small disk can be mounted here: %s", r.err)
	}
	if r.want(t, 1); !isSentence(r.err) || !strings.Contains(r.err, "disk") {
		t.Errorf("a full disk: %s", r.err)
	}
	if h.posted() != 0 {
		t.Error("a snapshot was asked for that could not be recorded")
	}
}

func TestAnotherHolder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.serve(t)
	r := h.run(t, "serve", "--addr", "127.0.0.1:0").want(t, 1)
	if !isSentence(r.err) || !strings.Contains(r.err, "in use by another arcadia") {
		t.Errorf("a second server: %s", r.err)
	}
}

// A planted token is in nothing that Arcadia says or keeps.
func TestTokensStayHidden(t *testing.T) {
	t.Parallel()
	h := newHouse(t).with("ARCADIA_DO_TOKEN_PROVISIONING")
	const stored, given = "dop_v1_plantedstored5f3a9c", "dop_v1_plantedgiven77e1b0"
	var said bytes.Buffer
	note := func(r result) result {
		said.WriteString(r.out + r.err)
		return r
	}
	note(h.pipe(t, stored+"\n", "token", "set", "provisioning")).want(t, 0)
	note(h.pipe(t, stored, "token", "set", "billing", "--json", "--verbose")).want(t, 0)
	note(h.run(t, "token", "list")).want(t, 0)
	note(h.run(t, "doctor", "--verbose")).want(t, 0)
	note(h.run(t, "smoke", "--droplet", "web-1", "--verbose")).want(t, 0)
	s := h.with("ARCADIA_DO_TOKEN_INVENTORY=" + given).serve(t)
	for _, f := range []dosim.FaultKind{dosim.Expired401, dosim.Scope403, dosim.HTML504, dosim.ServerErrorAfter, dosim.TruncatedJSON} {
		h.cloud.AddFault(dosim.Fault{Kind: f, Times: 1})
		note(h.run(t, "snapshot", "web-1", "--no-wait", "--verbose"))
		note(h.run(t, "doctor"))
	}
	for _, path := range []string{"/v1/tokens", "/v1/checks", "/v1/sagas", "/v1/openapi.json"} {
		res, err := browser.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := said.ReadFrom(res.Body); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.cmd.Process.Pid)); err == nil {
		said.Write(environ)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	said.WriteString(s.logs.String())

	looked := 0
	err := filepath.WalkDir(h.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		said.Write(content)
		looked++
		return err
	})
	if err != nil || looked < 2 {
		t.Fatalf("looked at %d files of the data directory: %v", looked, err)
	}
	for _, secret := range []string{stored, given, "plantedstored", "plantedgiven"} {
		if at := bytes.Index(said.Bytes(), []byte(secret)); at >= 0 {
			t.Errorf("%s is to be read: …%q…", secret, said.Bytes()[max(0, at-60):min(said.Len(), at+40)])
		}
	}
	if !strings.Contains(said.String(), "3a9c") {
		t.Error("the last four are not shown either: nothing was looked at")
	}
}
