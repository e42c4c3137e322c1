package scenario

import (
	"slices"
	"time"

	"github.com/digitalocean/godo"
)

const (
	publicKey      = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPfo2BhL0jHXk1F1bBqaTJZRWeTIQzMIdRvZ6FRBxl5c ops"
	otherPublicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl spare"
)

func (d drive) catalogue() {
	a := got(d.Account.Get(d.ctx))
	want("the account's status", a.Status, "active")
	if a.DropletLimit < 1 || a.VolumeLimit < 1 || a.ReservedIPLimit < 1 || a.UUID == "" || !a.EmailVerified || a.Team == nil {
		fail("the account is %+v", a)
	}
	sizes := got(d.Sizes.List(d.ctx, all()))
	i := slices.IndexFunc(sizes, func(s godo.Size) bool { return s.Slug == "s-1vcpu-1gb" })
	if i < 0 {
		fail("there is no size s-1vcpu-1gb among %d", len(sizes))
	}
	s := sizes[i]
	want("its memory, processors and disk", []int{s.Memory, s.Vcpus, s.Disk}, []int{1024, 1, 25})
	want("its price", s.PriceMonthly, 6.0)
	regions := got(d.Regions.List(d.ctx, all()))
	i = slices.IndexFunc(regions, func(r godo.Region) bool { return r.Slug == "nyc3" })
	if i < 0 || !regions[i].Available || !slices.Contains(regions[i].Sizes, s.Slug) || !slices.Contains(regions[i].Features, "storage") {
		fail("there is no such region as nyc3 among %+v", regions)
	}
	if !slices.Contains(s.Regions, "nyc3") {
		fail("the size is not in nyc3 but in %v", s.Regions)
	}
	image := got(d.Images.GetBySlug(d.ctx, "ubuntu-24-04-x64"))
	want("the image's slug and distribution", []string{image.Slug, image.Distribution}, []string{"ubuntu-24-04-x64", "Ubuntu"})
	want("the image by its id", got(d.Images.GetByID(d.ctx, image.ID)), image)
	for _, i := range got(d.Images.ListDistribution(d.ctx, all())) {
		if !i.Public || i.Slug == "" {
			fail("a distribution's image is %+v", i)
		}
	}
	if len(got(d.Images.ListApplication(d.ctx, all()))) == 0 {
		fail("there are no images of applications")
	}
	// Every page once, and no page twice.
	var slugs []string
	for page := 1; ; page++ {
		some, resp, err := d.Sizes.List(d.ctx, &godo.ListOptions{Page: page, PerPage: 7})
		must(err)
		want("the total", resp.Meta.Total, len(sizes))
		for _, s := range some {
			slugs = append(slugs, s.Slug)
		}
		if resp.Links.IsLastPage() {
			break
		}
		current, err := resp.Links.CurrentPage()
		must(err)
		want("the page", current, page)
	}
	want("the sizes of all pages", slugs, names(sizes, func(s godo.Size) string { return s.Slug }))
}

func (d drive) keysAndTags() {
	key := got(d.Keys.Create(d.ctx, &godo.KeyCreateRequest{Name: "ops", PublicKey: publicKey}))
	refused[*godo.Key](422)(d.Keys.Create(d.ctx, &godo.KeyCreateRequest{Name: "ops again", PublicKey: publicKey}))
	spare := got(d.Keys.Create(d.ctx, &godo.KeyCreateRequest{Name: "spare", PublicKey: otherPublicKey}))
	d.settle()
	want("the key by its id", got(d.Keys.GetByID(d.ctx, key.ID)), key)
	want("the key by its fingerprint", got(d.Keys.GetByFingerprint(d.ctx, key.Fingerprint)), key)
	want("the public key", key.PublicKey, publicKey)
	want("the new name", got(d.Keys.UpdateByID(d.ctx, key.ID, &godo.KeyUpdateRequest{Name: "operators"})).Name, "operators")
	want("and by fingerprint", got(d.Keys.UpdateByFingerprint(d.ctx, key.Fingerprint, &godo.KeyUpdateRequest{Name: "ops"})).Name, "ops")
	want("the keys", len(got(d.Keys.List(d.ctx, all()))), 2)
	done(d.Keys.DeleteByFingerprint(d.ctx, spare.Fingerprint))
	d.settle()
	want("the keys after the delete", got(d.Keys.List(d.ctx, all())), []godo.Key{*key})
	undone(404)(d.Keys.DeleteByID(d.ctx, spare.ID))

	tag := got(d.Tags.Create(d.ctx, &godo.TagCreateRequest{Name: "web"}))
	want("the tag", []any{tag.Name, tag.Resources.Count}, []any{"web", 0})
	want("the same tag again", got(d.Tags.Create(d.ctx, &godo.TagCreateRequest{Name: "web"})).Name, "web")
	got(d.Tags.Create(d.ctx, &godo.TagCreateRequest{Name: "old"}))
	d.settle()
	want("the tags", names(got(d.Tags.List(d.ctx, all())), func(t godo.Tag) string { return t.Name }), []string{"web", "old"})
	done(d.Tags.Delete(d.ctx, "old"))
	refused[*godo.Tag](404)(d.Tags.Get(d.ctx, "old"))
	nothing := &godo.TagResourcesRequest{Resources: []godo.Resource{{ID: "1", Type: godo.DropletResourceType}}}
	undone(404)(d.Tags.TagResources(d.ctx, "old", nothing))
}

func (d drive) images() {
	custom := got(d.Images.Create(d.ctx, &godo.CustomImageCreateRequest{
		Name: "golden", Url: "https://images.example.com/golden.qcow2", Region: "nyc3", Distribution: "Debian", Description: "ours", Tags: []string{"web"},
	}))
	want("the image at first", []string{custom.Status, custom.Type, custom.Distribution}, []string{"NEW", "custom", "Debian"})
	d.pass(importTime)
	d.settle()
	ready := got(d.Images.GetByID(d.ctx, custom.ID))
	want("the image", []any{ready.Name, ready.Status, ready.Regions, ready.Description, ready.Public, ready.Tags},
		[]any{"golden", "available", []string{"nyc3"}, "ours", false, []string{"web"}})
	renamed := got(d.Images.Update(d.ctx, custom.ID, &godo.ImageUpdateRequest{Name: "golden-2", Distribution: "Ubuntu"}))
	want("the image's new name", []string{renamed.Name, renamed.Distribution}, []string{"golden-2", "Ubuntu"})
	want("the images with the tag", names(got(d.Images.ListByTag(d.ctx, "web", all())), func(i godo.Image) string { return i.Name }), []string{"golden-2"})
	want("whether it is the user's",
		slices.ContainsFunc(got(d.Images.ListUser(d.ctx, all())), func(i godo.Image) bool { return i.ID == custom.ID }), true)

	a := d.did("transfer")(d.ImageActions.Transfer(d.ctx, custom.ID, &godo.ActionRequest{"type": "transfer", "region": "ams3"}))
	want("the action at the image's", got(d.ImageActions.Get(d.ctx, custom.ID, a.ID)).Status, godo.ActionCompleted)
	want("the regions", got(d.Images.GetByID(d.ctx, custom.ID)).Regions, []string{"nyc3", "ams3"})
	refused[*godo.Action](422)(d.ImageActions.Convert(d.ctx, custom.ID))
	made, resp, err := d.Droplets.Create(d.ctx, &godo.DropletCreateRequest{
		Name: "of-golden", Region: "ams3", Size: "s-1vcpu-1gb", Image: godo.DropletCreateImage{ID: custom.ID},
	})
	must(err)
	d.created(resp)
	want("the droplet's image", got(d.Droplets.Get(d.ctx, made.ID)).Image.ID, custom.ID)
	done(d.Droplets.Delete(d.ctx, made.ID))
	done(d.Images.Delete(d.ctx, custom.ID))
	refused[*godo.Image](404)(d.Images.GetByID(d.ctx, custom.ID))
}

func (d drive) projects() {
	first := got(d.Projects.GetDefault(d.ctx))
	want("whether it is the default", first.IsDefault, true)
	p := got(d.Projects.Create(d.ctx, &godo.CreateProjectRequest{Name: "shop", Description: "what sells", Purpose: "Web Application", Environment: "Staging"}))
	want("the project", []any{p.Name, p.Description, p.Purpose, p.Environment, p.IsDefault}, []any{"shop", "what sells", "Web Application", "Staging", false})
	d.settle()
	want("the project by its id", got(d.Projects.Get(d.ctx, p.ID)), p)
	want("the projects", len(got(d.Projects.List(d.ctx, all()))), 2)

	v := got(d.Storage.CreateVolume(d.ctx, &godo.VolumeCreateRequest{Name: "of-shop", Region: "nyc3", SizeGigaBytes: 1}))
	ip := got(d.ReservedIPs.Create(d.ctx, &godo.ReservedIPCreateRequest{Region: "nyc3"}))
	want("the IP's project", ip.ProjectID, first.ID)
	d.settle()
	moved := got(d.Projects.AssignResources(d.ctx, p.ID, v, ip, "do:volume:"+uuidOfNothing))
	want("what became of each", names(moved, func(r godo.ProjectResource) string { return r.Status }), []string{"assigned", "assigned", "not_found"})
	d.settle()
	listed := got(d.Projects.ListResources(d.ctx, p.ID, all()))
	want("what is in the project", names(listed, func(r godo.ProjectResource) string { return r.URN }), []string{v.URN(), "do:floatingip:" + ip.IP})
	want("the IP's new project", got(d.ReservedIPs.Get(d.ctx, ip.IP)).ProjectID, p.ID)
	undone(412)(d.Projects.Delete(d.ctx, p.ID))
	changed := got(d.Projects.Update(d.ctx, p.ID, &godo.UpdateProjectRequest{Name: "store", Environment: "Production"}))
	want("the project after the update", []string{changed.Name, changed.Description, changed.Environment}, []string{"store", "what sells", "Production"})

	done(d.Storage.DeleteVolume(d.ctx, v.ID))
	got(d.Projects.AssignResources(d.ctx, first.ID, ip))
	d.settle()
	done(d.Projects.Delete(d.ctx, p.ID))
	done(d.ReservedIPs.Delete(d.ctx, ip.IP))
	undone(412)(d.Projects.Delete(d.ctx, first.ID))
	want("the default one by its word", got(d.Projects.Update(d.ctx, "default", &godo.UpdateProjectRequest{Name: "everything"})).ID, first.ID)
	got(d.Projects.AssignResources(d.ctx, "default", "do:domain:example.com"))
	urns := names(got(d.Projects.ListResources(d.ctx, "default", all())), func(r godo.ProjectResource) string { return r.URN })
	want("whether the domain is in it", slices.Contains(urns, "do:domain:example.com"), true)
}

const uuidOfNothing = "00000000-0000-4000-8000-000000000000"

// importTime is longer than a custom image takes.
const importTime = 2 * time.Minute

// refusals are told as errors of godo's own.
func (d drive) refusals() {
	refused[*godo.Droplet](404)(d.Droplets.Get(d.ctx, 1))
	plain := godo.DropletCreateRequest{Name: "web-9", Region: "nyc3", Size: "s-1vcpu-1gb", Image: godo.DropletCreateImage{Slug: "ubuntu-24-04-x64"}}
	for name, spoil := range map[string]func(*godo.DropletCreateRequest){
		"a name with a blank":     func(r *godo.DropletCreateRequest) { r.Name = "no name" },
		"no such region":          func(r *godo.DropletCreateRequest) { r.Region = "moon1" },
		"no such size":            func(r *godo.DropletCreateRequest) { r.Size = "s-1" },
		"no such image":           func(r *godo.DropletCreateRequest) { r.Image.Slug = "plan9" },
		"no such key":             func(r *godo.DropletCreateRequest) { r.SSHKeys = []godo.DropletCreateSSHKey{{ID: 1}} },
		"a VPC of another region": func(r *godo.DropletCreateRequest) { r.VPCUUID = uuidOfNothing },
	} {
		r := plain
		spoil(&r)
		if _, resp, err := d.Droplets.Create(d.ctx, &r); err == nil || resp.StatusCode != 422 {
			fail("%s: error %v, want a refusal with 422", name, err)
		}
	}
	want("what was made of it", len(got(d.Droplets.ListByName(d.ctx, plain.Name, all()))), 0)
	undone(404)(d.Storage.DeleteVolume(d.ctx, uuidOfNothing))
}
