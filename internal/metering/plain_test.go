package metering

import (
	"reflect"
	"testing"
)

// What readPlain understands it reads as readAny does.
func FuzzReadPlain(f *testing.F) {
	for _, body := range []string{
		`[{"id":"a","source":"s","type":"t","time":"2026-01-20T12:00:00Z","data":{"n":1.50,"b":true,"s":"x\"y","z":null}}]`,
		` {"id":"a","id":null,"Id":"b","data":{"n":1,"n":null}} {"id":"ü\u0000","data":null,"specversion":"2"} `,
		`[{"data":{"n":-0.1e5,"o":{}}},{}]`, `[{"id":1}]`, `[{"n":01}]`, `[{"n":1,}]`, `[{},]`, `{}{}`, `[]`, `[{}]]`, "{\"id\":\"\x80\"}", `{"data":{"n":nul}}`,
		`{"data":{"a":"\ud800"},"data":{"b":"<&>"}}`, `{"x":[1]}`, `{"id":"a"`, `{"time":"2026-01-20T12:00:00Z","recordedtime":"x","replaces":"","voids":"v"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		plain, ok := readPlain(body)
		if !ok {
			return
		}
		any, err := readAny(body)
		if err != nil {
			t.Fatalf("%q was read, and should not: %v", body, err)
		}
		if len(plain) != len(any) {
			t.Fatalf("%q: %d events, want %d", body, len(plain), len(any))
		}
		for i := range any {
			if p, a := message(plain[i].Err), message(any[i].Err); p != a {
				t.Fatalf("%q: %s, want %s", body, p, a)
			}
			plain[i].Err, any[i].Err = nil, nil
			if len(plain[i].Data)+len(any[i].Data) == 0 {
				plain[i].Data, any[i].Data = nil, nil
			}
			if !reflect.DeepEqual(plain[i], any[i]) {
				t.Fatalf("%q:\n%+v, want\n%+v", body, plain[i], any[i])
			}
		}
	})
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
