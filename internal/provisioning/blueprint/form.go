package blueprint

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A form is what the value of a field must look like.
type form struct {
	types []Type             // the parameters that may be the whole value
	check func(string) error // says what is wrong with a value, as a sentence
}

func slugForm(t Type) form {
	p := &Parameter{Type: t}
	return form{[]Type{t, String}, p.check}
}

var (
	regionForm = slugForm(Region)
	sizeForm   = slugForm(Size)
	imageForm  = form{[]Type{Image, String, Integer}, (&Parameter{Type: Image}).check}
	switchForm = form{[]Type{Boolean}, (&Parameter{Type: Boolean}).check}

	sizeGiBForm = form{[]Type{Integer}, (&Parameter{Type: Integer, Min: new(int64(1)), Max: new(int64(16384))}).check}

	textForm         = form{allTypes, matching(`^[^\x00-\x1f\x7f]{1,255}$`, "one line of at most 255 characters")}
	tagForm          = form{allTypes, matching(`^[A-Za-z0-9:_-]{1,255}$`, "a tag, which has up to 255 letters, digits, colons, dashes and underscores")}
	sshKeyForm       = form{[]Type{String, Integer}, matching(`^([0-9]{1,18}|[0-9a-f]{2}(:[0-9a-f]{2}){15}|SHA256:[A-Za-z0-9+/=]{43,44})$`, "a key's id or fingerprint")}
	domainForm       = form{[]Type{String}, matching(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`, "a domain, like example.com")}
	recordNameForm   = form{[]Type{String}, matching(`^(@|(\*\.)?[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*|\*)$`, "a name within the domain, like www, or @")}
	hostForm         = form{[]Type{String}, checkHost}
	portsForm        = form{[]Type{String, Integer}, checkPorts}
	addressesForm    = form{[]Type{String}, checkAddresses}
	privateRangeForm = form{[]Type{String}, checkPrivateRange}
)

// allTypes are those of parameters whose value is text that may stand anywhere.
var allTypes = []Type{String, Integer, Boolean, Region, Size, Image}

func matching(expression, what string) func(string) error {
	re := regexp.MustCompile(expression)
	return func(value string) error {
		if !re.MatchString(value) {
			return fmt.Errorf("%q is not %s.", clip(value), what)
		}
		return nil
	}
}

func checkHost(value string) error {
	if _, err := netip.ParseAddr(value); err == nil || len(value) <= 253 && domainForm.check(value) == nil {
		return nil
	}
	return fmt.Errorf("%q is neither a host's name nor an address.", clip(value))
}

func checkPorts(value string) error {
	if value == "all" {
		return nil
	}
	from, to, isRange := strings.Cut(value, "-")
	first, err := strconv.ParseUint(from, 10, 16)
	last := first
	if err == nil && isRange {
		last, err = strconv.ParseUint(to, 10, 16)
	}
	if err != nil || first == 0 || last < first {
		return fmt.Errorf("%q is no port, no range like 8000-9000, and not all.", clip(value))
	}
	return nil
}

func checkAddresses(value string) error {
	if prefix, err := netip.ParsePrefix(value); err == nil {
		if prefix != prefix.Masked() {
			return fmt.Errorf("%q is no range: it begins at %s.", clip(value), prefix.Masked())
		}
		return nil
	}
	if a, err := netip.ParseAddr(value); err == nil && a.Zone() == "" {
		return nil
	}
	return fmt.Errorf("%q is neither an address nor a range like 10.0.0.0/8.", clip(value))
}

func checkPrivateRange(value string) error {
	prefix, err := netip.ParsePrefix(value)
	if err != nil || prefix != prefix.Masked() || !prefix.Addr().Is4() || !prefix.Addr().IsPrivate() || prefix.Bits() < 16 || prefix.Bits() > 28 {
		return fmt.Errorf("%q is no private range from /16 to /28, like 10.20.0.0/20.", clip(value))
	}
	return nil
}

// recordDataForm is that of what a record of this type says.
func recordDataForm(recordType string) form {
	check := textForm.check
	switch recordType {
	case "A", "AAAA":
		check = func(value string) error {
			a, err := netip.ParseAddr(value)
			if err != nil || a.Zone() != "" || a.Is4() != (recordType == "A") {
				return fmt.Errorf("%q is no address of a record of type %s.", clip(value), recordType)
			}
			return nil
		}
	case "TXT":
		check = matching(`^[^\x00-\x1f\x7f]{1,512}$`, "one line of at most 512 characters")
	}
	return form{[]Type{String}, check}
}

// accepts says why a parameter cannot be the whole value, as a sentence.
func (f form) accepts(name string, p *Parameter) error {
	if slices.Contains(f.types, p.Type) {
		return nil
	}
	return fmt.Errorf("${param.%s} is of type %s. Here it must be %s.", name, p.Type, strings.Join(texts(f.types), " or "))
}
