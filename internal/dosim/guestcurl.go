package dosim

import (
	"net/http"
	"strings"

	"github.com/goccy/go-yaml"
	"mvdan.cc/sh/v3/syntax"
)

// bootCalls are the requests that the curl commands in user data would make, in the
// order of the text: those of a script, and of every text in a cloud-config. No
// shell runs it: what stands under a condition is made too, and a command whose
// URL is not written out is none.
func bootCalls(userData string) []BootCall {
	if !strings.HasPrefix(userData, "#cloud-config") {
		return scriptCalls(userData)
	}
	var document any
	if yaml.UnmarshalWithOptions([]byte(userData), &document, yaml.UseOrderedMap()) != nil {
		return nil
	}
	return documentCalls(document)
}

func documentCalls(v any) []BootCall {
	var all []BootCall
	switch v := v.(type) {
	case string:
		return scriptCalls(v)
	case yaml.MapSlice:
		for _, item := range v {
			all = append(all, documentCalls(item.Value)...)
		}
	case []any:
		if words := texts(v); len(words) > 0 && words[0] == "curl" { // [curl, -fsS, URL]
			return curlCalls(words[1:])
		}
		for _, item := range v {
			all = append(all, documentCalls(item)...)
		}
	}
	return all
}

// texts are the texts of a list, nil when something else is in it.
func texts(list []any) []string {
	var all []string
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			return nil
		}
		all = append(all, text)
	}
	return all
}

// scriptCalls are those of a shell script, none when it is no shell script.
func scriptCalls(script string) []BootCall {
	if !strings.Contains(script, "curl") {
		return nil
	}
	file, err := syntax.NewParser().Parse(strings.NewReader(script), "")
	if err != nil {
		return nil
	}
	var all []BootCall
	syntax.Walk(file, func(n syntax.Node) bool {
		command, ok := n.(*syntax.CallExpr)
		if !ok {
			return true
		}
		for i, arg := range command.Args { // behind a sudo or a timeout, maybe
			if literal(arg.Parts) == "curl" {
				var words []string
				for _, word := range command.Args[i+1:] {
					words = append(words, literal(word.Parts))
				}
				all = append(all, curlCalls(words)...)
				break
			}
		}
		return true
	})
	return all
}

// literal is what is written out of a word. What a shell would put in its place is
// left away.
func literal(parts []syntax.WordPart) string {
	var text strings.Builder
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit:
			escaped := false
			for _, r := range part.Value {
				if escaped = !escaped && r == '\\'; !escaped {
					text.WriteRune(r)
				}
			}
		case *syntax.SglQuoted:
			text.WriteString(part.Value)
		case *syntax.DblQuoted:
			text.WriteString(literal(part.Parts))
		}
	}
	return text.String()
}

// curlCalls are the requests of one curl command, one for each URL.
func curlCalls(args []string) []BootCall {
	call := BootCall{Method: http.MethodGet}
	method, posts := "", false
	var urls []string
	for i := 0; i < len(args); i++ {
		option, value, attached := curlOption(args[i])
		if !attached && i+1 < len(args) {
			value = args[i+1]
		}
		switch option {
		case "-X", "--request":
			method = value
		case "-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json":
			posts = true
			if call.Body != "" {
				call.Body += "&"
			}
			call.Body += value
		case "-H", "--header":
			if name, text, ok := strings.Cut(value, ":"); ok {
				if call.Header == nil {
					call.Header = map[string]string{}
				}
				call.Header[strings.TrimSpace(name)] = strings.TrimSpace(text)
			}
		case "-I", "--head":
			method = http.MethodHead
			continue
		case "-x", "--proxy", "-e", "--referer", "-A", "--user-agent", "-o", "--output", "-u", "--user":
		default:
			if strings.HasPrefix(args[i], "http://") || strings.HasPrefix(args[i], "https://") {
				urls = append(urls, args[i])
			}
			continue
		}
		if !attached {
			i++
		}
	}
	if posts {
		call.Method = http.MethodPost
	}
	if method != "" {
		call.Method = strings.ToUpper(method)
	}
	var all []BootCall
	for _, url := range urls {
		call.URL = url
		all = append(all, call)
	}
	return all
}

// curlOption takes an option apart whose value may be attached: --request=POST,
// -XPOST, and -fsSXPOST, of which the letters before the X are left away.
func curlOption(arg string) (option, value string, attached bool) {
	if strings.HasPrefix(arg, "--") || !strings.HasPrefix(arg, "-") {
		return strings.Cut(arg, "=")
	}
	if i := strings.IndexAny(arg, "XdHIxeAou"); i > 0 {
		return "-" + arg[i:i+1], arg[i+1:], len(arg) > i+1
	}
	return arg, "", false
}
