package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/billing/paper"
)

// The assets of vendor come from npm, in the versions and with the hashes that
// tools/browser/package-lock.json pins; scripts/assets copies and checks them.
//
//go:embed assets/*.css assets/*.js assets/*.svg assets/vendor/*.js assets/vendor/*.css
var assetFiles embed.FS

// assets are the files that pages need, each under a name that holds the hash of
// its content: it may be kept for ever.
type assets struct {
	names map[string]string // by file: its address
	files map[string]asset  // by the last part of the address
}

type asset struct {
	kind          string
	plain, zipped []byte
}

func loadAssets() (*assets, error) {
	a := &assets{names: map[string]string{}, files: map[string]asset{}}
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		return a.add(path.Base(name), content)
	})
	if err != nil {
		return nil, err
	}
	return a, a.add("paper.css", []byte(paper.CSS))
}

// add adds a file under a name that holds the hash of its content.
func (a *assets) add(base string, content []byte) error {
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := z.Write(content); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	sum, ext := sha256.Sum256(content), path.Ext(base)
	hashed := strings.TrimSuffix(base, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	a.names[base] = "/assets/" + hashed
	a.files[hashed] = asset{mime.TypeByExtension(ext), content, zipped.Bytes()}
	return nil
}

// address is where a file is served.
func (a *assets) address(name string) string { return a.names[name] }

// ServeHTTP serves a file.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	file, ok := a.files[name]
	if !ok {
		http.Error(w, "There is no such file.", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", file.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Vary", "Accept-Encoding")
	h.Set("Etag", `"`+name+`"`)
	if r.Header.Get("If-None-Match") == `"`+name+`"` {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := file.plain
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		body = file.zipped
	}
	_, _ = w.Write(body) // who does not read it needs no word of that
}
