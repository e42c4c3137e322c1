package dosim

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
)

const (
	kindHandover       = "image_transfer"
	paramTransferTaken = "image.transfer_accepted"
)

// A handover is a snapshot's transfer to another account that waits for its
// recipient. It is the sender's, and is deleted when it ends, however it does.
type handover struct {
	thing
	Image     string `json:"image"`
	Recipient string `json:"recipient"` // the account
}

// A handoverWire answers a transfer's start: 0 is one that needs no acceptance.
type handoverWire struct {
	TransferID int64 `json:"transfer_id"`
}

func imageHandoverResource() resource {
	const path = "/v2/images/{image}/account_transfer"
	return resource{
		table: func(w *world) anyTable {
			w.handovers = newTable(w.seed, kind[*handover]{
				name: kindHandover, numbers: 3_000_000, check: checkHandover,
				wire: func(_ *call, h *handover) any { return handoverWire{number(h.ID)} },
				keys: func(h *handover) []string { return []string{"of:" + urn(kindSnapshot, h.Image)} },
			})
			return w.handovers
		},
		routes: []route{
			op("POST "+path, startHandover, "image:update", "image:delete"),
			op("POST "+path+"/accept", acceptHandover, "image:create"),
			op("POST "+path+"/cancel", cancelHandover, "image:update"),
			op("POST "+path+"/decline", declineHandover, "image:create"),
		},
		params: []Param{{paramTransferTaken, "0", 0, 1, "1: who transfers an image to a team may accept it there, and it moves at once"}},
		gone: func(c *call, of string, e entity) {
			if _, ok := e.(*snapshot); !ok {
				return
			}
			for _, h := range c.sim.world.handovers.under(c, "of:"+of) {
				c.sim.world.handovers.remove(c, h)
			}
		},
	}
}

func checkHandover(w *world, h *handover) error {
	if _, ok := w.snapshots.get(h.Account, h.Image); !ok {
		return fmt.Errorf("the transfer %s is of an unknown snapshot", h.ID)
	}
	if !w.accounts[h.Recipient] || h.Recipient == h.Account {
		return fmt.Errorf("the transfer %s is to no other account", h.ID)
	}
	return nil
}

// startHandover offers a snapshot to another account, which has it once it accepts.
func startHandover(c *call) answer {
	s, i, no := c.imageInPath()
	if s == nil && i == nil {
		return no
	}
	var body struct {
		Email string `json:"recipient_email"`
		Team  string `json:"recipient_uuid"`
	}
	if !c.decode(&body) {
		return invalidJSON()
	}
	if s == nil || s.Kind != kindOfSnapshot {
		return badRequest("Only snapshots can be transferred to another account.")
	}
	if (body.Email == "") == (body.Team == "") {
		return badRequest("Exactly one of recipient_email and recipient_uuid is required.")
	}
	to, known := c.accountWhere(func(one *call) bool { return one.email() == body.Email || one.teamUUID() == body.Team })
	switch {
	case !known:
		return badRequest("The recipient could not be found.")
	case to == c.account():
		return badRequest("The image cannot be transferred to the account that it is in.")
	case len(c.sim.world.handovers.under(c, "of:"+s.urn())) > 0:
		return badRequest("The image already has a pending account transfer.")
	case c.pending(s.urn()):
		return pendingImage()
	case body.Team != "" && c.sim.params.on(paramTransferTaken):
		c.handOver(s, to)
		return answer{http.StatusCreated, handoverWire{}}
	}
	h := c.sim.world.handovers.create(c, &handover{Image: s.ID, Recipient: to})
	return answer{http.StatusCreated, handoverWire{number(h.ID)}}
}

// accountWhere is the account that is so, in the order of their names.
func (c *call) accountWhere(is func(one *call) bool) (string, bool) {
	for _, name := range slices.Sorted(maps.Keys(c.sim.world.accounts)) {
		if is(c.sim.callAs(name, c.at)) {
			return name, true
		}
	}
	return "", false
}

// A handoverBody is what every answer to an offer says; the team only to accept.
type handoverBody struct {
	TransferID int64  `json:"transfer_id"`
	Team       string `json:"recipient_uuid"`
}

// handoverInPath finds the pending transfer that the body names of the image in
// the path, if mine says that it is the caller's to end. A stranger is told
// what somebody is told who made the number up.
func (c *call) handoverInPath(mine func(h *handover) bool) (h *handover, body handoverBody, no answer) {
	if !c.decode(&body) {
		return nil, body, invalidJSON()
	}
	if body.TransferID < 1 {
		return nil, body, badRequest("transfer_id is required.")
	}
	for name := range c.sim.world.accounts {
		h, ok := c.sim.world.handovers.get(name, fmt.Sprint(body.TransferID))
		if ok && h.exists(c.at) && h.Image == c.values["image"] && mine(h) {
			return h, body, answer{}
		}
	}
	return nil, body, notFound()
}

func (c *call) isRecipient(h *handover) bool { return h.Recipient == c.account() }
func (c *call) isSender(h *handover) bool    { return h.Account == c.account() }

func acceptHandover(c *call) answer {
	h, body, no := c.handoverInPath(c.isRecipient)
	if h == nil {
		return no
	}
	if body.Team != c.teamUUID() {
		return badRequest("recipient_uuid is not the team of the transfer's recipient.")
	}
	from := c.sim.callAs(h.Account, c.at)
	s, ok := c.sim.world.snapshots.get(h.Account, h.Image)
	switch {
	case !ok || !s.exists(c.at):
		return notFound()
	case from.pending(s.urn()):
		return pendingImage()
	}
	from.handOver(s, h.Recipient)
	return answer{status: http.StatusCreated}
}

func cancelHandover(c *call) answer  { return c.endHandover(c.isSender) }
func declineHandover(c *call) answer { return c.endHandover(c.isRecipient) }

// endHandover leaves the image where it is.
func (c *call) endHandover(mine func(h *handover) bool) answer {
	h, _, no := c.handoverInPath(mine)
	if h == nil {
		return no
	}
	c.sim.world.handovers.remove(c.sim.callAs(h.Account, c.at), h)
	return noContent()
}

// handOver moves the caller's snapshot into another account under its id. Its
// tags stay, for they are the account's.
func (c *call) handOver(s *snapshot, account string) {
	all := c.sim.world.snapshots
	moved := copyOf(s)
	moved.thing = thing{ID: s.ID, CreatedAt: s.CreatedAt}
	moved.tagged, moved.Origin = tagged{}, s.origin()
	files, to := c.files(s.urn()), c.sim.callAs(account, c.at)
	all.remove(c, s)
	to.imprint(all.create(to, moved).urn(), files)
}
