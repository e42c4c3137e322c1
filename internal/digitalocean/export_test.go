package digitalocean

import (
	"net/http"
	"time"
)

// TryAgainAfter shortens the pauses between tries.
func TryAgainAfter(c *Client, pause time.Duration) { c.wire.pause = pause }

// Wire is what stands between godo and the socket.
func Wire(c *Client) http.RoundTripper { return c.wire }

// Judge is what a client makes of an answer; empty for a proper one.
func Judge(c *Client, req *http.Request, resp *http.Response, answer []byte) Kind {
	if e := c.wire.judge(req, resp, answer, mutation{}); e != nil {
		return e.Kind
	}
	return ""
}
