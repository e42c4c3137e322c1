package saga

import "time"

// SetSkew makes the clock of this engine's node differ from the others'.
func (e *Engine) SetSkew(d time.Duration) { e.skew = d }
