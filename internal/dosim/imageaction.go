package dosim

import (
	"encoding/json"
	"errors"
	"slices"
)

const (
	paramTransfer   = "action.transfer"
	paramConvert    = "action.convert"
	dutyTransferred = "image.transferred"
	dutyConverted   = "image.converted"
)

func imageActionResource() resource {
	return resource{
		routes: []route{
			op("GET /v2/images/{image}/actions", listImageActions, "image:read"),
			op("POST /v2/images/{image}/actions", startImageAction, "image:update"),
			op("GET /v2/images/{image}/actions/{action}", getImageAction, "image:read"),
		},
		duties: []duty{{dutyTransferred, imageTransferred}, {dutyConverted, imageConverted}},
		params: []Param{
			{paramTransfer, "120s", 0, 0, "how long it takes to transfer an image to another region"},
			{paramConvert, "10s", 0, 0, "how long it takes to convert a backup to a snapshot"},
		},
	}
}

func (c *call) imageURN() (string, answer) {
	s, i, no := c.imageInPath()
	switch {
	case s != nil:
		return s.urn(), no
	case i != nil:
		return i.urn(), no
	}
	return "", no
}

func listImageActions(c *call) answer {
	of, no := c.imageURN()
	if of == "" {
		return no
	}
	return c.actionPage("of:" + of)
}

func getImageAction(c *call) answer {
	of, no := c.imageURN()
	if of == "" {
		return no
	}
	a, ok := c.actionOf(of)
	if !ok {
		return notFound()
	}
	return showing("action", c.distortion(true)(wireAction(c, a)))
}

// An imageMove is a transfer of an image to one more region.
type imageMove struct {
	Image  string `json:"image"`
	Region string `json:"region"`
}

func startImageAction(c *call) answer {
	s, i, no := c.imageInPath()
	if s == nil && i == nil {
		return no
	}
	var body struct {
		Type   string `json:"type"`
		Region string `json:"region"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	a := action{Type: body.Type, ResourceType: kindImage, ResourceID: number(c.values["image"]), Region: body.Region}
	var regions []string
	if s != nil {
		a.Of, regions = s.urn(), s.Regions
	} else {
		a.Of, regions = i.urn(), i.Regions
	}
	takes, then := paramTransfer, dutyTransferred
	switch body.Type {
	case "transfer":
		if err := c.refusesTransfer(s, regions, body.Region); err != nil {
			return unprocessable(err.Error())
		}
	case "convert":
		if s == nil || s.Kind != kindOfBackup {
			return unprocessable("Only a backup can be converted to a snapshot.")
		}
		a.Region, takes, then = s.Regions[0], paramConvert, dutyConverted
	default:
		return unprocessable("The action type is invalid or not supported.")
	}
	if c.refusesAction(a.Of) {
		return pendingImage()
	}
	started := c.act(a, c.sim.params.duration(takes), then, imageMove{c.values["image"], body.Region})
	return created("action", wireAction(c, started))
}

func (c *call) refusesTransfer(s *snapshot, regions []string, to string) error {
	_, known := c.sim.world.catalog.region(to)
	switch {
	case !known:
		return errors.New("Region is invalid")
	case s != nil && s.Kind == kindOfBackup:
		return errors.New("A backup must be converted to a snapshot before it is transferred.")
	case len(regions) == 0:
		return errors.New("The image is not available yet.")
	case slices.Contains(regions, to):
		return errors.New("The image is already available in this region.")
	}
	return nil
}

func imageTransferred(c *call, arg json.RawMessage) {
	var to imageMove
	if json.Unmarshal(arg, &to) != nil {
		return
	}
	w := c.sim.world
	if _, known := w.catalog.region(to.Region); !known {
		return
	}
	if s, ok := w.snapshots.get(c.account(), to.Image); ok && s.exists(c.at) {
		w.snapshots.update(c, s, func(next *snapshot) { next.Regions = append(slices.Clone(s.Regions), to.Region) })
	}
	if i, ok := w.images.get(c.account(), to.Image); ok && i.exists(c.at) {
		w.images.update(c, i, func(next *ownImage) { next.Regions = append(slices.Clone(i.Regions), to.Region) })
	}
}

func imageConverted(c *call, arg json.RawMessage) {
	var of imageMove
	if json.Unmarshal(arg, &of) != nil {
		return
	}
	snapshots := c.sim.world.snapshots
	if s, ok := snapshots.get(c.account(), of.Image); ok && s.exists(c.at) && s.Kind == kindOfBackup {
		snapshots.update(c, s, func(next *snapshot) { next.Kind, next.Unasked = kindOfSnapshot, false })
	}
}
