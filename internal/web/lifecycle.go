package web

import (
	"net/url"
	"strings"

	"github.com/arcadia-cloud/arcadia/internal/provisioning"
	"github.com/arcadia-cloud/arcadia/internal/tenant"
	"github.com/arcadia-cloud/arcadia/internal/web/ui"
)

// A lifecycle is what can be done with a stack, in a page's words.
type lifecycle struct {
	button string // "Tear down"
	of     string // before the stack's name: "Prune the backups of"
	class  string // of the button
	rare   bool   // behind "more"
}

var lifecycles = map[provisioning.Verb]lifecycle{
	provisioning.BackUp:   {button: "Back up"},
	provisioning.Restore:  {button: "Restore", rare: true},
	provisioning.Prune:    {button: "Prune backups", of: "Prune the backups of", rare: true},
	provisioning.TryOut:   {button: "Try a restore out", of: "Try out a restore of", rare: true},
	provisioning.Repair:   {button: "Repair drift", of: "Repair the drift of", rare: true},
	provisioning.Absorb:   {button: "Absorb drift", of: "Absorb the drift of", rare: true},
	provisioning.Resize:   {button: "Resize"},
	provisioning.Release:  {button: "Release", rare: true},
	provisioning.Rebuild:  {button: "Rebuild a droplet", of: "Rebuild a droplet of", rare: true},
	provisioning.Suspend:  {button: "Suspend"},
	provisioning.Resume:   {button: "Resume", class: "primary"},
	provisioning.Teardown: {button: "Tear down", class: "danger"},
}

// lifecycleOf is a verb's; one without words of its own is called what it is.
func lifecycleOf(v provisioning.Verb) lifecycle {
	l := lifecycles[v]
	if l.button == "" {
		l.button = ui.Upper(strings.ReplaceAll(string(v), "_", " "))
	}
	if l.of == "" {
		l.of = l.button
	}
	return l
}

// offers are the operations that a stack can be planned now, those that are asked for
// often or those behind "more".
func (v stackView) offers(rare bool) (all []provisioning.Operation) {
	for _, o := range v.offered() {
		if lifecycleOf(o.Verb).rare == rare {
			all = append(all, o)
		}
	}
	return all
}

// freezeOf are the fields of an address that asks for a freeze of a tenant's stacks.
func freezeOf(id tenant.ID) string {
	return url.Values{"scope": {provisioning.TenantScope(id)}}.Encode()
}

// backupsOf is the page of a stack's backups.
func backupsOf(id provisioning.StackID) string {
	return "/backups?" + url.Values{"stack": {string(id)}}.Encode()
}

// lower begins words that stand within a sentence.
func lower(words string) string {
	if words == "" {
		return ""
	}
	return strings.ToLower(words[:1]) + words[1:]
}
