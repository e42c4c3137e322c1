package blueprint

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/arcadia-cloud/arcadia/internal/fault"
	"github.com/arcadia-cloud/arcadia/internal/manifest"
)

// A filler writes a template out in two steps, so that no value can be taken for
// anything but data. The template runs with a token in the place of every value; what
// comes out is read as the languages that it is in, YAML and shell; and a value is
// put in as the place of its token asks for, or refused.
type filler struct {
	prefix string // of tokens: nobody's value has it in it
	form   *regexp.Regexp
	pieces map[string]piece // by token
}

// A piece is a value that a template writes out.
type piece struct {
	line  int    // of the template
	how   string // an encoding, "" where the template says none
	value any    // string, int64, int or bool
}

// text is the value as its encoding has it, without what its place asks for.
func (p piece) text() string {
	switch p.how {
	case "json", "yaml":
		return jsonText(p.value)
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(fmt.Sprint(p.value)))
	}
	return fmt.Sprint(p.value)
}

// fits reports whether the text may stand anywhere, quoted or not.
func (p piece) fits() bool { return p.how == "base64" || isWord(p.text()) }

// jsonText is the value in JSON, which is YAML too: whatever a reader of either does
// not take as it is has an escape.
func jsonText(value any) string {
	text, ok := value.(string)
	if !ok {
		return fmt.Sprint(value)
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(c))
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f && c <= 0x9f || c == 0x2028 || c == 0x2029 || c == 0xfeff:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// render runs the template over the data. A secret is asked for by the name of its
// parameter. An error is a [lineError].
func (c *cloudInit) render(data map[string]any, secret func(string) (string, error)) (string, error) {
	values, err := json.Marshal(data)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(append([]byte(c.source+"\x00"), values...))
	f := &filler{prefix: "arc" + hex.EncodeToString(sum[:12]), pieces: make(map[string]piece)}
	f.form = regexp.MustCompile(f.prefix + `x[0-9]+x`)
	functions := template.FuncMap{"secret": secret, emitName: f.print}
	for _, how := range encodings {
		functions[how] = func(value any) any { return encoded{how, value} }
	}
	t, err := c.template.Clone()
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := t.Funcs(functions).Execute(&out, data); err != nil {
		return "", templateError(err)
	}
	text := out.String()
	head, _, _ := strings.Cut(text, "\n")
	if shell := shellOf(strings.TrimRight(head, " \r")); shell != "" {
		text, err = f.shell(text, shell)
	} else {
		text, err = f.cloudConfig(text)
	}
	if err == nil && len(text) > maxUserData {
		err = wrongAt(1, "It is %d bytes with its values put in. DigitalOcean takes %d: put what is large elsewhere and fetch it.", len(text), maxUserData)
	}
	return text, err
}

// print keeps what a template writes out and leaves a token in its place. What is
// raw stays as it is.
func (f *filler) print(line int, value any) (string, error) {
	p := piece{line: line, value: value}
	if e, ok := value.(encoded); ok {
		p.how, p.value = e.how, e.value
	}
	switch p.value.(type) {
	case string, int64, int, bool:
	default:
		return "", wrongAt(line, "It is no text, no number and not true or false.")
	}
	if p.how == "raw" {
		return fmt.Sprint(p.value), nil
	}
	token := fmt.Sprintf("%sx%dx", f.prefix, len(f.pieces))
	f.pieces[token] = p
	return token, nil
}

func (f *filler) tokens(text string) []string { return f.form.FindAllString(text, -1) }

// put replaces every token by what with answers.
func (f *filler) put(text string, with func(string) string) string {
	return f.form.ReplaceAllStringFunc(text, with)
}

const advice = "Its value may have characters that mean something here"

// shell fills a script.
func (f *filler) shell(script, shell string) (string, error) {
	tokens := f.tokens(script)
	if len(tokens) == 0 {
		return script, nil
	}
	places, err := shellPlaces(script, shell, tokens)
	if err != nil {
		return "", wrongAt(f.pieces[tokens[0]].line, "This is no script that can be read, so that no value can be put in safely: %v.", err)
	}
	for _, token := range tokens {
		p := f.pieces[token]
		switch {
		case places[token] == commandPlace:
			return "", wrongAt(p.line, "A value cannot be the name of a command or of a variable.")
		case places[token] == quotedPlace && !p.fits():
			return "", wrongAt(p.line, "%s. In a script it stands without quotes around it, which it gets by itself, and not as an argument of what runs its arguments, like eval or sh -c. Keep it in a variable first: X={{ … }}.", advice)
		}
	}
	return f.put(script, func(token string) string {
		p := f.pieces[token]
		if places[token] == quotedPlace {
			return p.text()
		}
		return shellQuote(p.text())
	}), nil
}

// document fills a text that is neither the document nor a script: the content of a
// file, or the value of a field.
func (f *filler) document(text string) (string, error) {
	tokens := f.tokens(text)
	var places map[string]place
	var whole map[string]bool
	for _, token := range tokens {
		p := f.pieces[token]
		var err error
		switch {
		case p.fits():
		case p.how == "quote":
			if places == nil {
				places, err = shellPlaces(text, "sh", tokens)
			}
			if err != nil || places[token] != plainPlace {
				return "", wrongAt(p.line, "quote is for a text that a shell reads, and for a place without quotes around it.")
			}
		case p.how == "json" || p.how == "yaml":
			if whole == nil {
				whole = f.wholeValues(text)
			}
			if !whole[token] {
				return "", wrongAt(p.line, "%s is for a text that is %s all through, and for a value of its own in it, without quotes around it.", p.how, strings.ToUpper(p.how))
			}
		default:
			return "", wrongAt(p.line, "%s. Say how it is written: {{ … | quote }} where a shell reads it, json or yaml in such texts, base64; or give the parameter a pattern of letters, digits and . _ : / - alone.", advice)
		}
	}
	return f.put(text, func(token string) string {
		p := f.pieces[token]
		if p.how == "quote" && !p.fits() {
			return shellQuote(p.text())
		}
		return p.text()
	}), nil
}

// wholeValues are the tokens that are values of their own in a text of JSON or YAML.
func (f *filler) wholeValues(text string) map[string]bool {
	found := make(map[string]bool)
	var see func(manifest.Value)
	see = func(v manifest.Value) {
		if isText, quoted := v.IsText(); isText && !quoted && f.pieces[v.Written()] != (piece{}) {
			found[v.Written()] = true
		}
		v.EachInside(see)
	}
	_ = manifest.Read("", []byte(text), see) // what cannot be read has none
	var value any
	quoted := f.put(text, func(token string) string { return `"` + token + `"` })
	if json.Unmarshal([]byte(quoted), &value) == nil {
		clear(found)
		jsonStrings(value, func(s string) { found[s] = true })
	}
	return found
}

func jsonStrings(value any, see func(string)) {
	switch value := value.(type) {
	case string:
		see(value)
	case []any:
		for _, one := range value {
			jsonStrings(one, see)
		}
	case map[string]any:
		for _, one := range value {
			jsonStrings(one, see)
		}
	}
}

// cloudConfig fills a document of cloud-init and writes it anew.
func (f *filler) cloudConfig(text string) (string, error) {
	w := &configWriter{filler: f}
	err := manifest.Check("cloud_init", []byte(text), func(root manifest.Value) {
		if !root.IsObject() {
			w.fail(wrongAt(1, "#cloud-config is followed by fields, like packages or runcmd."))
			return
		}
		w.b.WriteString("#cloud-config\n")
		w.object(root, 0, document)
	})
	if problems, ok := errors.AsType[manifest.Problems](err); ok {
		return "", wrongAt(problems[0].Line, "It is no cloud-config that can be read: %s", problems[0].Message)
	}
	if err != nil {
		return "", wrongAt(1, "It is no cloud-config that can be read: %s", fault.Message(err))
	}
	return w.b.String(), w.err
}

// What reads a value of a cloud-config.
type reading int

const (
	document  reading = iota // cloud-init itself
	commands                 // a shell; a list in it is a command in words
	arguments                // the words of a command
)

// shellFields are those whose texts cloud-init gives to a shell.
var shellFields = []string{"runcmd", "bootcmd", "commands", "condition"}

// A configWriter writes a cloud-config: one way for everything, texts as JSON has
// them wherever they are more than a word.
type configWriter struct {
	*filler
	b   strings.Builder
	err error
}

func (w *configWriter) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

var (
	plainField = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)
	plainText  = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9_./+-]*$`)
)

func (w *configWriter) object(v manifest.Value, indent int, by reading) {
	for _, name := range v.Names() {
		inside := by
		if slices.Contains(shellFields, name) {
			inside = commands
		}
		if tokens := w.tokens(name); len(tokens) > 0 {
			w.fail(wrongAt(w.pieces[tokens[0]].line, "A value cannot be the name of a field."))
		}
		w.b.WriteString(strings.Repeat(" ", indent))
		if plainField.MatchString(name) && !slices.Contains([]string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}, strings.ToLower(name)) {
			w.b.WriteString(name)
		} else {
			w.b.WriteString(jsonText(name))
		}
		w.b.WriteByte(':')
		w.value(v.Field(name), indent+2, inside)
	}
}

// value writes what follows on a colon or a dash, with the end of its last line.
func (w *configWriter) value(v manifest.Value, indent int, by reading) {
	switch {
	case v.IsObject() && len(v.Names()) > 0:
		w.b.WriteByte('\n')
		w.object(v, indent, by)
	case v.IsList() && v.Len() > 0:
		w.b.WriteByte('\n')
		for i := range v.Len() {
			inside := by
			if item := v.Item(i); by == commands && item.IsList() {
				inside = arguments
			}
			w.b.WriteString(strings.Repeat(" ", indent) + "-")
			w.value(v.Item(i), indent+2, inside)
		}
	default:
		w.b.WriteString(" " + w.scalar(v, by) + "\n")
	}
}

func (w *configWriter) scalar(v manifest.Value, by reading) string {
	isText, quoted := v.IsText()
	text := v.Written()
	tokens := w.tokens(text)
	switch {
	case v.IsObject():
		return "{}"
	case v.IsList():
		return "[]"
	case !v.IsSet():
		return "null"
	case !isText:
		return text
	case len(tokens) == 0 && !quoted && plainText.MatchString(text):
		return text
	case len(tokens) == 0:
		return jsonText(text)
	}
	p := w.pieces[tokens[0]]
	head, _, _ := strings.Cut(text, "\n")
	var err error
	switch {
	case by == arguments:
		err = wrongAt(p.line, "A command in words takes no values, since nobody can tell what it does with them. Write it as one text: a value gets quotes by itself.")
	case by == commands:
		text, err = w.shell(text, "sh")
	case text == tokens[0] && (p.how == "" || !quoted && (p.how == "json" || p.how == "yaml")):
		if quoted {
			return jsonText(fmt.Sprint(p.value))
		}
		return jsonText(p.value)
	case shellOf(strings.TrimRight(head, " \r")) != "":
		text, err = w.shell(text, shellOf(strings.TrimRight(head, " \r")))
	default:
		text, err = w.document(text)
	}
	if err != nil {
		w.fail(err)
	}
	return jsonText(text)
}
