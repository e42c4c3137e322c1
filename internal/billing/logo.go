package billing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/draw"
	_ "image/jpeg" // a form that logos may have
	"image/png"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// Bounds of a logo.
const (
	maxLogo       = 512 << 10 // bytes of its file
	maxLogoStored = 1 << 20   // bytes as it is kept: each PDF has it
	maxLogoSide   = 2000      // pixels
)

// readLogo is a picture, PNG or JPEG, as it is kept: a PNG of eight bits without
// anything but its pixels, which is what every page and every PDF can show.
func readLogo(file []byte) ([]byte, error) {
	if len(file) > maxLogo {
		return nil, fault.New(fault.Invalid, "A logo's file has at most %d KiB, this one %d.", maxLogo>>10, (len(file)+1023)>>10)
	}
	c, form, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, fault.New(fault.Invalid, "This is no picture that documents can show: give the logo as PNG or JPEG.")
	}
	if c.Width < 1 || c.Height < 1 || c.Width > maxLogoSide || c.Height > maxLogoSide {
		return nil, fault.New(fault.Invalid, "A logo has at most %d by %d pixels, this one %d by %d.", maxLogoSide, maxLogoSide, c.Width, c.Height)
	}
	picture, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, fault.New(fault.Invalid, "The picture cannot be read to its end as %s: %v.", form, err)
	}
	pixels := image.NewNRGBA(image.Rect(0, 0, c.Width, c.Height))
	draw.Draw(pixels, pixels.Bounds(), picture, picture.Bounds().Min, draw.Src)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, pixels); err != nil {
		return nil, fmt.Errorf("billing: a logo: %w", err)
	}
	if b.Len() > maxLogoStored {
		return nil, fault.New(fault.Invalid, "The picture is too detailed: each PDF would have %d KiB of it. Make it smaller.", b.Len()>>10)
	}
	return b.Bytes(), nil
}

// putLogo keeps a picture that was read, and returns its hash.
func putLogo(ctx context.Context, tx *sql.Tx, picture []byte, i Issuer) (string, error) {
	sum := sha256.Sum256(picture)
	hash := hex.EncodeToString(sum[:])
	_, err := tx.ExecContext(ctx, `INSERT INTO billing_logos (hash, picture, added_at, added_by) VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING`,
		hash, picture, db.Micros(i.ChangedAt), i.ChangedBy)
	return hash, err
}

// Logo is the picture that a document has, a PNG; nil where it has none.
func (s *Service) Logo(ctx context.Context, of Issued) (picture []byte, err error) {
	_, parties, err := of.Read()
	if err != nil || parties.Issuer.Logo == "" {
		return nil, err
	}
	err = s.db.Read().QueryRowContext(ctx, `SELECT picture FROM billing_logos WHERE hash = $1`, parties.Issuer.Logo).Scan(&picture)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("billing: the logo %s of %s is not there", parties.Issuer.Logo, of.Ref())
	}
	return picture, err
}
