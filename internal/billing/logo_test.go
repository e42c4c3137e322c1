package billing

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"github.com/arcadia-cloud/arcadia/internal/db"
	"github.com/arcadia-cloud/arcadia/internal/dbtest"
	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// An issuer's logo is checked before anything is kept, stays until it is taken away,
// and no document that was issued loses the one it had.
func TestAnIssuersLogo(t *testing.T) {
	picture := func(width, height int) []byte {
		var b bytes.Buffer
		gray := image.NewGray16(image.Rect(0, 0, width, height)) // which fpdf could not show
		gray.SetGray16(0, 0, color.Gray16{Y: 0x8080})
		if err := png.Encode(&b, gray); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewYCbCr(image.Rect(0, 0, 30, 20), image.YCbCrSubsampleRatio420), nil); err != nil {
		t.Fatal(err)
	}
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		s := New(d, nil, nil)
		put := func(picture *[]byte) (Issuer, error) {
			return s.PutIssuer(t.Context(), Issuer{ID: "main", LegalName: "Host GmbH", Picture: picture}, "test", noon)
		}
		bare, err := put(nil)
		if err != nil || bare.Logo != "" {
			t.Fatalf("%+v, %v", bare, err)
		}
		whole := picture(40, 30)
		for name, file := range map[string][]byte{
			"a text": []byte("<svg/>"), "half a picture": whole[:len(whole)/2], "one that is too wide": picture(2001, 1), "one that is too large": make([]byte, maxLogo+1),
		} {
			if _, err := put(&file); !errors.Is(err, fault.Invalid) {
				t.Errorf("%s was taken: %v", name, err)
			}
		}
		first, err := put(&whole)
		if err != nil || first.Logo == "" {
			t.Fatalf("%+v, %v", first, err)
		}
		if kept, err := put(nil); err != nil || kept.Logo != first.Logo {
			t.Errorf("what is not said of the logo changed it: %q, %v", kept.Logo, err)
		}
		parties := partiesOf(first, Customer{}, "UTC")
		other := photo.Bytes()
		second, err := put(&other)
		if err != nil || second.Logo == first.Logo {
			t.Errorf("a JPEG: %q, %v", second.Logo, err)
		}
		none := []byte{}
		if gone, err := put(&none); err != nil || gone.Logo != "" {
			t.Errorf("%q is still there: %v", gone.Logo, err)
		}
		said, err := json.Marshal(parties)
		if err != nil {
			t.Fatal(err)
		}
		issued := Issued{Document: []byte(`{}`), Parties: said}
		kept, err := s.Logo(t.Context(), issued)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := png.Decode(bytes.NewReader(kept))
		if err != nil || shown.Bounds().Dx() != 40 || shown.ColorModel() == color.Gray16Model {
			t.Errorf("a document's logo is %v, %v", shown.Bounds(), err)
		}
		for _, statement := range []string{`DELETE FROM billing_logos`, `UPDATE billing_logos SET picture = ''`} {
			if err := d.Write(t.Context(), func(tx *sql.Tx) error { _, err := tx.ExecContext(t.Context(), statement); return err }); err == nil {
				t.Errorf("the database allowed %q", statement)
			}
		}
	})
}
