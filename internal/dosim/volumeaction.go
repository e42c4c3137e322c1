package dosim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

const (
	paramAttachVolume = "action.attach_volume"
	paramDetachVolume = "action.detach_volume"
	paramResizeVolume = "action.resize_volume"

	dutyVolumeAttached = "volume.attached"
	dutyVolumeDetached = "volume.detached"
	dutyVolumeResized  = "volume.resized"
)

func volumeActionResource() resource {
	return resource{
		routes: []route{
			op("POST /v2/volumes/actions", startVolumeActionByName, "block_storage_action:create", "api:write"),
			op("GET /v2/volumes/{volume}/actions", listVolumeActions, "block_storage_action:read"),
			op("POST /v2/volumes/{volume}/actions", startVolumeActionByID, "block_storage_action:create"),
			op("GET /v2/volumes/{volume}/actions/{action}", getVolumeAction, "block_storage_action:read"),
		},
		duties: []duty{{dutyVolumeAttached, volumesAttached}, {dutyVolumeDetached, volumesDetached}, {dutyVolumeResized, volumeResized}},
		params: []Param{
			{paramAttachVolume, "5s", 0, 0, "how long an attach_volume action takes"},
			{paramDetachVolume, "5s", 0, 0, "how long a detach_volume action takes"},
			{paramResizeVolume, "5s", 0, 0, "how long a resize_volume action takes"},
		},
	}
}

func listVolumeActions(c *call) answer {
	v, ok := c.volume()
	if !ok {
		return notFound()
	}
	return c.actionPage("of:" + v.urn())
}

func getVolumeAction(c *call) answer {
	v, ok := c.volume()
	if !ok {
		return notFound()
	}
	a, ok := c.actionOf(v.urn())
	if !ok {
		return notFound()
	}
	return showing("action", c.distortion(true)(wireAction(c, a)))
}

type volumeActionBody struct {
	Type          string          `json:"type"`
	VolumeName    string          `json:"volume_name"`
	Region        string          `json:"region"`
	DropletID     json.RawMessage `json:"droplet_id"` // clients send a string too
	SizeGigabytes int             `json:"size_gigabytes"`
}

func startVolumeActionByID(c *call) answer {
	v, ok := c.volume()
	if !ok {
		return notFound()
	}
	var body volumeActionBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	return c.startOnVolume(v, body)
}

func startVolumeActionByName(c *call) answer {
	var body volumeActionBody
	if !c.decode(&body) {
		return invalidJSON()
	}
	v, ok := c.volumeCalled(body.VolumeName, body.Region)
	if !ok || !c.gettable(&v.thing) {
		return notFound()
	}
	return c.startOnVolume(v, body)
}

func (c *call) startOnVolume(v *volume, body volumeActionBody) answer {
	a := action{Of: v.urn(), Type: body.Type + "_volume", ResourceType: kindVolume, Region: v.Region}
	droplet := strings.Trim(string(body.DropletID), `"`)
	var takes, then string
	var arg any = attachment{droplet, []string{v.ID}}
	switch body.Type {
	case "attach":
		d, ok := c.sim.world.droplets.find(c, droplet)
		if !ok {
			return notFound()
		}
		if c.refusesAction(d.urn()) {
			return pendingEvent()
		}
		if err := c.refusesAttachment(v, d); err != nil {
			return unprocessable(err.Error())
		}
		a.Holds, takes, then = []string{d.urn()}, paramAttachVolume, dutyVolumeAttached
	case "detach":
		if v.Droplet == "" || v.Droplet != droplet {
			return unprocessable("Attachment not found")
		}
		if c.refusesAction(dropletURN(droplet)) {
			return pendingEvent()
		}
		a.Holds, takes, then = []string{dropletURN(droplet)}, paramDetachVolume, dutyVolumeDetached
	case "resize":
		if body.SizeGigabytes <= v.SizeGigabytes || body.SizeGigabytes > maxVolumeSize {
			return unprocessable(fmt.Sprintf("size_gigabytes must be more than %d and at most %d", v.SizeGigabytes, maxVolumeSize))
		}
		takes, then, arg = paramResizeVolume, dutyVolumeResized, volumeSize{v.ID, body.SizeGigabytes}
	default:
		return unprocessable("The action type is invalid or not supported.")
	}
	if c.refusesAction(v.urn()) {
		return unprocessable("Volume already has a pending event.")
	}
	started := c.act(a, c.sim.params.duration(takes), then, arg)
	return answer{http.StatusAccepted, map[string]any{"action": wireAction(c, started)}}
}

// refusesAttachment says why the volume cannot be attached to the droplet.
func (c *call) refusesAttachment(v *volume, d *droplet) error {
	switch {
	case v.Droplet != "":
		return errors.New("This volume is already attached")
	case v.Region != d.Region:
		return errors.New("The volume and the Droplet must be in the same region.")
	case len(c.sim.world.volumes.under(c, "of:"+d.urn())) >= maxVolumes:
		return tooManyVolumes()
	}
	return nil
}

func tooManyVolumes() error { return errors.New("cannot attach more volumes to the Droplet") }

// A volumeSize is what a volume grows to, in gigabytes.
type volumeSize struct {
	Volume string `json:"volume"`
	Size   int    `json:"size"`
}

func volumeResized(c *call, arg json.RawMessage) {
	var to volumeSize
	if json.Unmarshal(arg, &to) != nil {
		return
	}
	volumes := c.sim.world.volumes
	if v, ok := volumes.get(c.account(), to.Volume); ok && v.exists(c.at) && to.Size > v.SizeGigabytes && to.Size <= maxVolumeSize {
		volumes.update(c, v, func(next *volume) { next.SizeGigabytes = to.Size })
	}
}
