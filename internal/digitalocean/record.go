package digitalocean

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/digitalocean/godo"
)

// A Record is a DNS record of a domain. Nothing keeps two from saying the same
// (quirk 21).
type Record struct {
	ID       int64
	Type     string
	Name     string // within the domain; @ is the domain itself
	Data     string
	TTL      int // seconds
	Priority int
	Port     int
	Weight   int
}

func recordOf(w godo.DomainRecord) Record {
	return Record{ID: int64(w.ID), Type: w.Type, Name: w.Name, Data: w.Data, TTL: w.TTL, Priority: w.Priority, Port: w.Port, Weight: w.Weight}
}

// A RecordCreate asks for a DNS record.
type RecordCreate struct {
	Domain, Type, Name, Data string
	TTL                      int // seconds
	Priority, Port, Weight   int
}

func (r RecordCreate) request() any {
	out := struct {
		Type     string `json:"type"`
		Name     string `json:"name"`
		Data     string `json:"data"`
		TTL      int    `json:"ttl"`
		Priority *int   `json:"priority,omitempty"`
		Port     *int   `json:"port,omitempty"`
		Weight   *int   `json:"weight,omitempty"`
	}{Type: r.Type, Name: r.Name, Data: r.Data, TTL: r.TTL}
	if r.Type == "MX" || r.Type == "SRV" {
		out.Priority = &r.Priority
	}
	if r.Type == "SRV" {
		out.Port, out.Weight = &r.Port, &r.Weight
	}
	return out
}

// Permit is leave to send the request.
func (r RecordCreate) Permit() Permit {
	return Permit{Method: http.MethodPost, Template: "/v2/domains/{domain}/records", Target: "do:domain:" + r.Domain, Body: marshal(r.request())}
}

// CreateRecord makes a DNS record, once. Purpose: provisioning, under a Capability.
func (c *Client) CreateRecord(ctx context.Context, r RecordCreate) (Record, error) {
	var answer struct {
		Record godo.DomainRecord `json:"domain_record"`
	}
	err := c.change(ctx, "CreateRecord", http.MethodPost, "/v2/domains/"+url.PathEscape(r.Domain)+"/records", marshal(r.request()), &answer)
	return recordOf(answer.Record), err
}

// Records lists every record of a domain. Purpose: provisioning.
func (c *Client) Records(ctx context.Context, domain string) (List[Record], error) {
	if err := c.may("Records", Provisioning); err != nil {
		return List[Record]{}, err
	}
	return all(ctx, c, collection[godo.DomainRecord, Record]{
		path: "v2/domains/" + url.PathEscape(domain) + "/records", key: "domain_records", item: recordOf,
		id: func(r Record) string { return strconv.FormatInt(r.ID, 10) },
	})
}

// Record reads one record. Purpose: provisioning.
func (c *Client) Record(ctx context.Context, domain string, id int64) (Record, error) {
	w, err := read[godo.DomainRecord](ctx, c, "Record", fmt.Sprintf("/v2/domains/%s/records/%d", url.PathEscape(domain), id), "domain_record")
	return recordOf(w), err
}

// DeleteRecordPermit is leave to delete a record.
func DeleteRecordPermit(domain string, id int64) Permit {
	return deletePermit("/v2/domains/{domain}/records/{id}", "domain_record", domain, id)
}

// DeleteRecord deletes a record. Purpose: provisioning, under a Capability.
func (c *Client) DeleteRecord(ctx context.Context, domain string, id int64) error {
	return c.change(ctx, "DeleteRecord", http.MethodDelete, fmt.Sprintf("/v2/domains/%s/records/%d", url.PathEscape(domain), id), nil, nil)
}

// ReplacePermit is leave to have a record say this.
func (r RecordCreate) ReplacePermit(id int64) Permit {
	return Permit{
		Method: http.MethodPut, Template: "/v2/domains/{domain}/records/{id}", Target: fmt.Sprintf("do:domain_record:%s/%d", r.Domain, id),
		Body: marshal(r.request()),
	}
}

// ReplaceRecord has a record say something else; its type stays. To ask twice is to
// ask once. Purpose: provisioning, under a Capability.
func (c *Client) ReplaceRecord(ctx context.Context, id int64, r RecordCreate) (Record, error) {
	var answer struct {
		Record godo.DomainRecord `json:"domain_record"`
	}
	path := fmt.Sprintf("/v2/domains/%s/records/%d", url.PathEscape(r.Domain), id)
	if err := c.change(ctx, "ReplaceRecord", http.MethodPut, path, marshal(r.request()), &answer); err != nil {
		return Record{}, err
	}
	return recordOf(answer.Record), nil
}
