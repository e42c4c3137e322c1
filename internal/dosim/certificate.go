package dosim

import (
	"crypto/sha1" //nolint:gosec // the fingerprint that DigitalOcean shows is a SHA-1 sum
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A certificate is what load balancers and CDN endpoints end TLS with: one that
// was uploaded, or one of Let's Encrypt's, which is pending for a while.
type certificate struct {
	thing
	Name        string    `json:"name"`
	Type        string    `json:"type"`
	DNSNames    []string  `json:"dns_names"`
	NotAfter    time.Time `json:"not_after"`
	Fingerprint string    `json:"sha1_fingerprint"`
	VerifiedAt  time.Time `json:"verified_at"`
}

type certificateWire struct {
	ID              string   `json:"id"`
	Name            string   `json:"name"`
	NotAfter        string   `json:"not_after"`
	SHA1Fingerprint string   `json:"sha1_fingerprint"`
	CreatedAt       string   `json:"created_at"`
	DNSNames        []string `json:"dns_names"`
	State           string   `json:"state"`
	Type            string   `json:"type"`
}

const (
	paramCertificateVerify = "certificate.verify"
	kindCertificate        = "certificate"
	customCertificate      = "custom"
	letsEncrypt            = "lets_encrypt"
	letsEncryptLasts       = 90 * 24 * time.Hour
)

func certificateResource() resource {
	return resource{
		table: func(w *world) anyTable {
			w.certificates = newTable(w.seed, kind[*certificate]{
				name: kindCertificate, wire: func(c *call, e *certificate) any { return e.wire(c) },
				title: func(e *certificate) string { return e.Name },
				keys:  func(e *certificate) []string { return []string{"name:" + e.Name} },
			})
			return w.certificates
		},
		routes: []route{
			op("GET /v2/certificates", listCertificates, "certificate:read"),
			op("POST /v2/certificates", createCertificate, "certificate:create"),
			op("GET /v2/certificates/{certificate}", getCertificate, "certificate:read"),
			op("DELETE /v2/certificates/{certificate}", deleteCertificate, "certificate:delete"),
		},
		params: []Param{{paramCertificateVerify, "30s", 0, 0, "how long a certificate of Let's Encrypt's is pending"}},
	}
}

func (e *certificate) wire(c *call) certificateWire {
	state := "verified"
	if c.at.Before(e.VerifiedAt) {
		state = "pending"
	}
	return certificateWire{
		e.ID, e.Name, wireTime(e.NotAfter), e.Fingerprint, wireTime(e.CreatedAt), append([]string{}, e.DNSNames...), state, e.Type,
	}
}

func listCertificates(c *call) answer {
	certificates, name := c.sim.world.certificates, c.r.URL.Query().Get("name")
	return certificates.page(c, "certificates", only(certificates.listed(c), func(e *certificate) bool { return name == "" || e.Name == name }))
}

type certificateBody struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Names []string `json:"dns_names"`
	Key   string   `json:"private_key"`
	Leaf  string   `json:"leaf_certificate"`
	Chain string   `json:"certificate_chain"`
}

// createCertificate takes names that are there already: nothing says that
// DigitalOcean refuses them.
func createCertificate(c *call) answer {
	var body certificateBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	if body.Type == "" {
		body.Type = customCertificate
	}
	e := &certificate{Name: body.Name, Type: body.Type, VerifiedAt: c.at}
	var err error
	switch {
	case strings.TrimSpace(body.Name) == "":
		err = errors.New("name is required")
	case body.Type == customCertificate:
		err = body.upload(e)
	case body.Type == letsEncrypt:
		err = body.request(c, e)
	default:
		err = errors.New("type must be one of custom, lets_encrypt")
	}
	if err != nil {
		return unprocessable(err.Error())
	}
	certificates := c.sim.world.certificates
	return created("certificate", certificates.render(c, certificates.create(c, e)))
}

// upload reads what the user brought: the certificate must fit its key. The key
// itself is not kept.
func (b certificateBody) upload(e *certificate) error {
	if b.Key == "" || b.Leaf == "" {
		return errors.New("private_key and leaf_certificate are required")
	}
	pair, err := tls.X509KeyPair([]byte(b.Leaf), []byte(b.Key))
	if err != nil {
		return errors.New("the private key and the leaf certificate are not a valid pair")
	}
	if block, _ := pem.Decode([]byte(b.Chain)); b.Chain != "" && block == nil {
		return errors.New("certificate_chain is not in PEM format")
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return errors.New("leaf_certificate is invalid")
	}
	sum := sha1.Sum(leaf.Raw)                                                                             //nolint:gosec // see the import
	e.NotAfter, e.Fingerprint, e.DNSNames = leaf.NotAfter.UTC(), hex.EncodeToString(sum[:]), []string{""} // as the description's example
	if !inTime(e.NotAfter) {
		return errors.New("leaf_certificate is invalid")
	}
	return nil
}

// request asks Let's Encrypt, for names of domains that this account has.
func (b certificateBody) request(c *call, e *certificate) error {
	if len(b.Names) == 0 {
		return errors.New("dns_names is required")
	}
	for i, name := range b.Names {
		name = strings.ToLower(name)
		if slices.Contains(e.DNSNames, name) || !isDomain(strings.TrimPrefix(name, "*.")) {
			return fmt.Errorf("dns_names[%d] is invalid", i)
		}
		if !c.hasZoneOf(strings.TrimPrefix(name, "*.")) {
			return fmt.Errorf("%s: the domain is not managed by this account", name)
		}
		e.DNSNames = append(e.DNSNames, name)
	}
	e.VerifiedAt = c.at.Add(c.sim.params.duration(paramCertificateVerify))
	e.NotAfter = c.at.Add(letsEncryptLasts)
	e.Fingerprint = strings.ReplaceAll(uuid(c.sim.seed, "fingerprint", c.account(), b.Name, wireTime(c.at))+uuid(c.sim.seed, "more"), "-", "")[:40]
	return nil
}

// hasZoneOf reports whether the account has the domain that the name is in.
func (c *call) hasZoneOf(name string) bool {
	for {
		if d, ok := c.sim.world.domains.get(c.account(), name); ok && d.exists(c.at) {
			return true
		}
		_, parent, more := strings.Cut(name, ".")
		if !more {
			return false
		}
		name = parent
	}
}

// certificate finds the certificate in the path.
func (c *call) certificate() (*certificate, bool) {
	return c.sim.world.certificates.find(c, c.values["certificate"])
}

func getCertificate(c *call) answer {
	e, ok := c.certificate()
	if !ok {
		return notFound()
	}
	return showing("certificate", c.sim.world.certificates.render(c, e))
}

// deleteCertificate refuses while a load balancer has it.
func deleteCertificate(c *call) answer {
	e, ok := c.certificate()
	if !ok {
		return notFound()
	}
	if len(c.sim.world.loadBalancers.under(c, "uses:"+urn(kindCertificate, e.ID))) > 0 {
		return refusal(http.StatusForbidden, "forbidden", "Make sure the certificate is not in use before deleting it")
	}
	c.sim.world.certificates.remove(c, e)
	return noContent()
}
