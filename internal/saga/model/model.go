// Package model is a small exhaustive model of how a saga makes, and unmakes,
// one droplet snapshot at a cloud that has no idempotency keys. It says, for
// every order in which things can happen within its bounds, that the rules of
// DESIGN §5 leave no second snapshot and nothing behind; and, for each rule
// that is left out, it finds the shortest story in which that goes wrong.
//
// A state is a comparable value: the saga's row in the ledger, two workers, a
// COMMIT whose answer was lost, requests on their way, and what exists at the
// cloud. Explore walks breadth-first through every state that some interleaving
// reaches. Time is discrete, and every time is kept relative to now and only as
// far back as some rule asks; epochs and revisions are kept relative to the
// row's. So the walk ends without a bound on its depth: any number of crashes,
// lost answers, takeovers, waits and retries is covered, and a worker may be
// arbitrarily slow between any two of its moves.
//
// # What is modelled
//
// The ledger: claim, lease, epoch, rev and owner; the compare-and-swap of every
// commit; a COMMIT whose answer is lost and that lands late or never; cancel,
// force-release; unknown_since.
//
// The workers: the step create_droplet_snapshot and a second step that may
// fail; its undo; look-up by marker, adoption, the guard before the socket, the
// rules (c) settle, (b) action list, (a) listing; a process that freezes between
// the guard and the socket and sends when it thaws; the sweeps after the end.
//
// The cloud: one pending action per droplet (422); a POST that is answered,
// answered in vain, committed late or never; actions that take their time, fail,
// or complete without a thing; an action list and a listing that lag, and
// disagree with themselves while they do; a listing in which the deleted linger;
// a person who snapshots the same droplet by hand.
//
// # What is assumed
//
// All of it is in World and Rules: the cloud keeps to the bounds of its World,
// clocks run at one rate, and the last sweep comes after the last thing that it
// is there to find. A bound of n ticks includes the n-th.
//
// # What is left out
//
// Reads are atomic: a real one lies somewhere between its begin and its end, so
// a rule's "begun after the one before passed" is the order of these points. A
// stale status in the action list, a 404 while polling an action, paging, rate
// limits and pauses only make a worker wait, which it may do here at any time.
// Heartbeats only move a deadline that a claim sets as well. Wake-ups do not
// exist: a waiting saga may be claimed at any moment.
package model

// World is what the protocol cannot choose: bounds of the cloud and of the
// network, in ticks, and which mishaps may happen.
type World struct {
	Timeout    int8 // an HTTP call is over after this long
	Commit     int8 // a POST whose answer was lost is committed at most this long after
	ActionLag  int8 // an action is in the droplet's action list after this long
	ListingLag int8 // a snapshot is in the listing this long after its action's end
	Linger     int8 // a deleted snapshot is out of the listing after this long
	Duration   int8 // an action runs at most this long
	ByID       int8 // GET and DELETE by id may answer 404 this long after its action's end; DESIGN counts on 0
	Lease      int8 // how long a claim lasts

	Freezes    int8 // processes that freeze between the guard and the socket
	Forces     int8 // force-releases by an operator
	Cancel     bool // an operator may cancel
	StepFails  bool // the second step may fail
	Errored    bool // an action may end errored
	Vanish     bool // a completed action's snapshot may never exist
	ByHand     int8 // snapshots of the same droplet that a person makes
	LostCommit bool // a COMMIT's answer may be lost
	Embedded   bool // one process at a time, which knows that the one before is dead
}

// Rules are DESIGN §5's, and beside them the ways of getting them wrong. The
// zero value of a wrong way is the right one.
type Rules struct {
	Order   string // in which (c), (b) and (a) are read; "" for all at once
	Settle  int8   // (c): at least World.Commit + World.ActionLag
	Horizon int8   // (b): at least World.ListingLag
	Margin  int8   // by which the owner's deadline lies before the lease's end: at least World.Timeout

	NoFence               bool // a commit does not compare epoch and rev
	NoGuard               bool // the owner does not ask its deadline before the POST
	NoSweep               bool // nobody looks after the end
	ReleaseAtOnce         bool // a saga released by force is claimed while its old owner's lease still lasts
	TrustRev              bool // after a lost COMMIT, rev n+1 is taken for one's own without asking who owns the row
	ForgetRecovery        bool // a recovering claim does not set unknown_since
	UnknownFromNow        bool // it sets it to now, not to the end of the lease that it takes over
	KeepUnknownOnRecovery bool // it leaves an older unknown_since as it is
	KeepUnknownOnLoss     bool // so does a POST whose answer was lost
	DeadlineFromAnswer    bool // the deadline counts from when the claim was known, not from when it was sent
	AdoptListedAction     bool // an unfinished action from the list is recorded as the saga's own
	UndoByOneLook         bool // an undo takes one empty listing for "nothing is there"
	DeleteBeforeSave      bool // an undo deletes what it found before the ledger names it
	HorizonAfterLook      bool // "the horizon has passed" is asked after the look, not before
	ListAfterDelete       bool // an undo looks whether the listing still shows what it deleted

	LeanOnSweep   bool // what a sweep removes is not held against the rules, even if no process was frozen
	DoubtEarly404 bool // a DELETE's 404 is taken for success only when the horizon has passed
}

// A Report is what an exploration found.
type Report struct {
	States, Moves int // distinct states, and ways from one to another

	// Ends are the states in which the saga has ended and nothing moves any more.
	Completed, RolledBack, Stuck int
	Swept                        int // ends at which a sweep had something to remove

	Trapped  int    // states from which no end can be reached; only counted when asked for
	Violated string // the property that does not hold; empty: all hold
	Trace    []string
}

// Ends is the number of ends of every kind.
func (r Report) Ends() int { return r.Completed + r.RolledBack + r.Stuck }
