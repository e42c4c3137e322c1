package billing

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/arcadia-cloud/arcadia/internal/fault"
)

// An Address is where somebody has its seat, as a letter names it.
type Address struct {
	Lines      []string `json:"lines"` // street and number, and what is before them
	PostalCode string   `json:"postal_code"`
	City       string   `json:"city"`
	Region     string   `json:"region"`
	Country    string   `json:"country"` // ISO 3166-1, two letters
}

// A TaxID is a number by which tax offices know somebody.
type TaxID struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// taxIDForms are the forms of the numbers that are checked, without blanks, dots and
// dashes. Of EU VAT numbers each country has its own (European Commission, VIES,
// "VAT number structure").
var taxIDForms = map[string]*regexp.Regexp{
	"eu_vat": regexp.MustCompile(`^(ATU\d{8}|BE[01]\d{9}|BG\d{9,10}|CY\d{8}[A-Z]|CZ\d{8,10}|DE\d{9}|DK\d{8}|EE\d{9}|EL\d{9}|ES[A-Z0-9]\d{7}[A-Z0-9]|` +
		`FI\d{8}|FR[A-Z0-9]{2}\d{9}|HR\d{11}|HU\d{8}|IE\d[A-Z0-9+*]\d{5}[A-Z]{1,2}|IT\d{11}|LT(\d{9}|\d{12})|LU\d{8}|LV\d{11}|MT\d{8}|NL[A-Z0-9+*]{10}\d{2}|` +
		`PL\d{10}|PT\d{9}|RO\d{2,10}|SE\d{12}|SI\d{8}|SK\d{10}|XI(\d{9}|\d{12}|GD\d{3}|HA\d{3}))$`),
	"gb_vat": regexp.MustCompile(`^GB(\d{9}|\d{12}|GD\d{3}|HA\d{3})$`),
	"ch_vat": regexp.MustCompile(`^CHE\d{9}(MWST|TVA|IVA)?$`),
	"no_vat": regexp.MustCompile(`^NO\d{9}MVA$`),
	"us_ein": regexp.MustCompile(`^\d{9}$`),
	"other":  regexp.MustCompile(`^[A-Z0-9]{2,40}$`),
}

// tidy is the number as it is kept, or why it is none. Only its form is checked:
// whether it is somebody's, tax offices know.
func (id TaxID) tidy() (TaxID, error) {
	form, ok := taxIDForms[id.Type]
	if !ok {
		return id, fault.New(fault.Invalid, "There is no kind of tax id %q: it is eu_vat, gb_vat, ch_vat, no_vat, us_ein or other.", cut(id.Type))
	}
	value := strings.ToUpper(strings.NewReplacer(" ", "", ".", "", "-", "").Replace(id.Value))
	if !form.MatchString(value) {
		return id, fault.New(fault.Invalid, "%q has not the form of a tax id of kind %s.", cut(id.Value), id.Type)
	}
	if id.Type == "eu_vat" && strings.HasPrefix(value, "DE") && !checksDE(value[2:]) {
		return id, fault.New(fault.Invalid, "%q is no VAT number of Germany: its last digit does not check.", cut(id.Value))
	}
	return TaxID{id.Type, value}, nil
}

// checksDE checks the last digit of nine by ISO 7064, mod 11,10.
func checksDE(digits string) bool {
	product := 10
	for _, d := range digits[:8] {
		sum := (int(d-'0') + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = 2 * sum % 11
	}
	return (11-product)%10 == int(digits[8]-'0')
}

// A Bank is where money is to be sent.
type Bank struct {
	Holder string `json:"holder"`
	IBAN   string `json:"iban"`
	BIC    string `json:"bic"`
	Name   string `json:"name"`
}

var (
	countryForm = regexp.MustCompile(`^[A-Z]{2}$`)
	bicForm     = regexp.MustCompile(`^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$`)
	ibanForm    = regexp.MustCompile(`^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$`)
)

func (b Bank) tidy() (Bank, error) {
	b.IBAN = strings.ToUpper(strings.ReplaceAll(b.IBAN, " ", ""))
	b.BIC = strings.ToUpper(strings.TrimSpace(b.BIC))
	switch {
	case b.IBAN != "" && (!ibanForm.MatchString(b.IBAN) || !checksIBAN(b.IBAN)):
		return b, fault.New(fault.Invalid, "%q is no IBAN: a digit is wrong, missing or too many.", cut(b.IBAN))
	case b.BIC != "" && !bicForm.MatchString(b.BIC):
		return b, fault.New(fault.Invalid, "%q is no BIC: one has 8 or 11 letters and digits.", cut(b.BIC))
	}
	return b, checkTexts(named{"holder of the account", &b.Holder, 200}, named{"name of the bank", &b.Name, 200})
}

// checksIBAN is ISO 13616: read as a number, with the country last, it is 1 mod 97.
func checksIBAN(iban string) bool {
	rest := 0
	for _, c := range iban[4:] + iban[:4] {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	return rest == 1
}

func (a Address) tidy() (Address, error) {
	a.Country = strings.ToUpper(strings.TrimSpace(a.Country))
	if a.Country != "" && !countryForm.MatchString(a.Country) {
		return a, fault.New(fault.Invalid, "%q is no country: it is a code of two letters, like DE.", cut(a.Country))
	}
	a.Lines = slices.Clone(a.Lines)
	if len(a.Lines) > 4 {
		return a, fault.New(fault.Invalid, "An address has at most 4 lines before its town.")
	}
	for i := range a.Lines {
		if err := checkTexts(named{"line of the address", &a.Lines[i], 200}); err != nil {
			return a, err
		}
	}
	if a.Lines = slices.DeleteFunc(a.Lines, func(line string) bool { return line == "" }); a.Lines == nil {
		a.Lines = []string{}
	}
	return a, checkTexts(named{"postal code", &a.PostalCode, 20}, named{"town", &a.City, 100}, named{"region", &a.Region, 100})
}

func tidyTaxIDs(ids []TaxID) ([]TaxID, error) {
	tidy := []TaxID{}
	for _, id := range ids {
		id, err := id.tidy()
		if err != nil {
			return nil, err
		}
		if !slices.Contains(tidy, id) {
			tidy = append(tidy, id)
		}
	}
	return tidy, nil
}

// A named text is one that somebody entered.
type named struct {
	what string
	text *string
	most int // characters
}

// checkTexts trims texts, and refuses what cannot be shown in a line.
func checkTexts(texts ...named) error {
	for _, n := range texts {
		*n.text = strings.TrimSpace(*n.text)
		switch {
		case utf8.RuneCountInString(*n.text) > n.most:
			return fault.New(fault.Invalid, "The %s is too long: at most %d characters.", n.what, n.most)
		case !utf8.ValidString(*n.text) || strings.ContainsFunc(*n.text, unicode.IsControl):
			return fault.New(fault.Invalid, "The %s has a character that cannot be shown.", n.what)
		}
	}
	return nil
}

// cut is enough of a text to know it by.
func cut(s string) string {
	if utf8.RuneCountInString(s) > 60 {
		return string([]rune(s)[:60]) + "…"
	}
	return s
}
