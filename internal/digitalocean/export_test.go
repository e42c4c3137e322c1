package digitalocean

import (
	"net/http"
	"time"
)

// TryAgainAfter shortens the pauses between tries.
func TryAgainAfter(c *Client, pause time.Duration) { c.wire.pause = pause }

// Wire is what stands between godo and the socket.
func Wire(c *Client) http.RoundTripper { return c.wire }
