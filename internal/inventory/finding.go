package inventory

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// A FindingRule is a reason for which something is worth a look.
type FindingRule string

// The rules.
const (
	Unattributed       FindingRule = "unattributed"        // costs money and is nobody's
	UnattachedVolume   FindingRule = "unattached_volume"   // no droplet uses it
	UnassignedIP       FindingRule = "unassigned_ip"       // costs money because no droplet uses it
	OldSnapshot        FindingRule = "old_snapshot"        // of what may be there still
	OrphanSnapshot     FindingRule = "orphan_snapshot"     // of what is gone
	DropletOff         FindingRule = "droplet_off"         // costs as much as if it were on
	ExpiringCert       FindingRule = "certificate_expires" // within days
	ExpiringToken      FindingRule = "token_expires"
	NoBackup           FindingRule = "no_backup"     // a tenant's droplet that nothing could bring back
	OpenFirewall       FindingRule = "firewall_open" // to the world, where it should not be
	NoFirewall         FindingRule = "no_firewall"   // a droplet that no firewall protects
	QuotaNearlyUsed    FindingRule = "quota"         // an account's limit is nearly reached
	Unpriced           FindingRule = "unpriced"      // costs what nobody knows
	ContradictedByRule FindingRule = "contradiction" // somebody's by hand, another's by rule

	// What the inventory is told, of stacks.
	BackupFailed  FindingRule = "backup_failed"  // the last one by schedule
	BackupOverdue FindingRule = "backup_overdue" // nobody knows why
	BackupLost    FindingRule = "backup_lost"    // its snapshots were deleted by somebody else
	DrillFailed   FindingRule = "drill_failed"   // nobody has seen a backup work since
)

// FindingRules are all of them.
func FindingRules() []FindingRule {
	return []FindingRule{
		Unattributed, UnattachedVolume, UnassignedIP, OldSnapshot, OrphanSnapshot, DropletOff, ExpiringCert, ExpiringToken, NoBackup,
		OpenFirewall, NoFirewall, QuotaNearlyUsed, Unpriced, ContradictedByRule, BackupFailed, BackupOverdue, BackupLost,
		DrillFailed,
	}
}

// reportedRules are those by which the inventory finds nothing itself.
var reportedRules = []FindingRule{BackupFailed, BackupOverdue, BackupLost, DrillFailed}

// OfStack reports whether the findings of a rule are of a stack, whose name they have.
func OfStack(r FindingRule) bool { return slices.Contains(reportedRules, r) }

// A Report is a finding of somebody else's, of something that stands in an account.
type Report struct {
	Rule       FindingRule
	Subject    string // what it is of, by a name that it has for good
	Name       string
	URNs       []string // of the resources that it is about: it is worth what they cost
	Says, Mend string   // as a [Finding]'s
}

// When what is normal becomes worth a look.
const (
	snapshotIsOld   = 90 * 24 * time.Hour
	offIsLong       = 7 * 24 * time.Hour
	certIsShort     = 14 * 24 * time.Hour
	backupIsFresh   = 7 * 24 * time.Hour
	dropletIsNew    = 24 * time.Hour // nobody has to have backed it up yet
	quotaIsNearFull = 80             // percent
)

// A Finding is something that is worth a look, with what mends it. It has the same
// id for as long as it is the same, also when it comes back: a mute holds.
type Finding struct {
	ID      string // "fnd_…"
	Rule    FindingRule
	URN     string // empty: it is of the account as a whole, or of a stack
	Name    string
	Account string
	Since   time.Time // when it was found first; DigitalOcean's clock
	Monthly Micros    // what the resource that it is about costs a month, as far as that is known
	Says    string    // a sentence
	Mend    string    // a command, or the address of a page
	Mute    *Mute     // nil: it is to be heard
}

// A Mute is that somebody does not want to hear of a finding.
type Mute struct {
	Until  time.Time // zero: never again
	Reason string
	Actor  string
	At     time.Time
}

// findingID is the id of what a rule says of a resource, or of a part of an account.
func findingID(rule FindingRule, account, subject string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(rule), account, subject}, "\x00")))
	return "fnd_" + hex.EncodeToString(sum[:10])
}
