# Every command that the project is built, checked and measured with. `make help` lists them.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

GO   ?= go
# The tools' own module keeps their dependencies out of ours.
TOOL := $(GO) tool -modfile=tools/go.mod

# What runs concurrently, and so what the race detector is worth its tenfold cost on. It crashes now and then (Go 1.26) when
# two threads run timers of one synctest bubble at once, since those share one context of its: packages that live in bubbles
# get one thread, and the few bubbles of the others run without it; of the inventory what several processes share, of billing
# what runs beside itself, and of the stacks what shares lists, caps and calls, with a few cuts of two kinds.
RACY    := ./internal/db/... ./internal/jobs/... ./internal/saga/... ./internal/app/...
BUBBLY  := ./internal/digitalocean/... ./internal/provisioning/blueprint/...
STACKS  := ^(TestAStackComesAndGoes|TestHundredSnapshotsShareTheirLooks|TestDestroyCapsHoldAgainstMany|TestACallWakesItsSaga|TestTwoStacksOfOneName|TestAFreezeStopsASagaAndLetsItGoOn|TestUsedInTheLastMoment|TestUnwindBackup|TestUnwindSkyAI)$$
SHARED  := ^(TestBothEngines|TestTheFeedSkipsNothing|TestTokensStayApart)$$
MONEY   := ^(TestBillingRunsBesideEachOther|TestABillingRun|TestManyWritersCountOnce|TestManyCorrectionsOfOneEvent|TestRollingWhileEventsComeIn|TestEntriesAddUpToNothing)$$
BUBBLES := ^(TestNowIsTheBubblesClock|TestWritingInsideABubble|TestALeaseIsRenewedWhileItsOwnerWorks|TestASoleEngineWaitsForNoDeadOwner|TestWaitsForDays)$$

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/arcadia, one static binary without cgo
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/arcadia ./cmd/arcadia

.PHONY: test
test: ## run every test on SQLite and PostgreSQL, installing what is missing
	@scripts/setup
	export ARCADIA_TEST_REQUIRE_POSTGRES=1 ARCADIA_TEST_REQUIRE_BROWSER=1 ARCADIA_TEST_REQUIRE_CLIENTS=1
	scripts/with-postgres -c fsync=off -c max_connections=300 bash -euo pipefail -c '
	$(GO) test -race -short -timeout=20m -skip="$(BUBBLES)" $(RACY)
	$(GO) test -race -short -timeout=20m -run="$(SHARED)" ./internal/inventory
	$(GO) test -race -short -timeout=20m -run="$(MONEY)" ./internal/billing ./internal/metering ./internal/journal
	$(GO) test -race -short -timeout=20m -cpu=1 $(BUBBLY)
	$(GO) test -race -short -timeout=20m -cpu=1 -run="$(STACKS)" ./internal/provisioning
	$(GO) test -timeout=30m ./...'

.PHONY: cuts
cuts: ## cut every kind of saga at every point in every weather, which takes hours (KIND=Repair: one kind)
	scripts/cuts $(KIND)

.PHONY: screenshots
screenshots: build ## write a picture of every page into screenshots/, light and dark, for a desk and a phone
	@scripts/setup
	rm -rf screenshots
	FONTCONFIG_FILE=$(CURDIR)/tools/browser/fonts.conf ARCADIA_BINARY=$(CURDIR)/bin/arcadia node tools/browser/screenshots.mjs screenshots

.PHONY: check
check: ## format, vet, lint of Go and of scripts, modules, generated files, known vulnerabilities
	@scripts/setup
	scripts/check

.PHONY: fmt
fmt: ## format the code the way check wants it
	$(TOOL) golangci-lint fmt

.PHONY: fuzz
fuzz: ## run every fuzz test for a short while (FUZZTIME=10s)
	scripts/fuzz $(or $(FUZZTIME),10s)

.PHONY: bench
bench: build ## measure beside other engines and print ratios
	@scripts/setup
	scripts/with-postgres -c shared_buffers=512MB -c max_connections=300 \
		$(GO) -C bench/peers run . -arcadia $(CURDIR)/bin/arcadia
	echo
	echo "API calls of snapshot sagas, counted by dosim with DigitalOcean's limits and lags as they are"
	ARCADIA_STACKS=1000 $(GO) test -count=1 -run='^TestCallsPerSnapshot$$' -v ./internal/provisioning | sed -n 's/^ *calls_test.go:[0-9]*: /  /p; /^ok/d; /FAIL/p'
	echo
	echo "API calls of stacks, from the plan to the last step, the same way"
	ARCADIA_STACKS=1,100,1000 $(GO) test -count=1 -timeout=60m -run='^TestCallsPerStack$$' -v ./internal/provisioning | sed -n 's/^ *stack_calls_test.go:[0-9]*: /  /p; /^ok/d; /FAIL/p'
	echo
	echo "Requests that the simulated cloud serves on one core, of a fleet of a thousand droplets; a page is of 200"
	$(GO) test -cpu=1 -run='^$$' -bench='^Benchmark(GetDroplet|ListDroplets|FleetOfAThousand|HundredThousandDroplets)$$' ./internal/dosim | sed -n 's/^Benchmark/  /p; /FAIL/p'
	echo
	echo "Syncs of 10,000 droplets and 20,000 volumes beside a plain loop over godo, and searches"
	$(GO) test -run='^$$' -bench='^Benchmark(SyncBesideGodo|Search)$$' -benchtime=1x ./internal/inventory | sed -n 's/^Benchmark/  /p; /FAIL/p'
	echo
	echo "Usage events over HTTP, a tenth of them twice, beside a multi-row INSERT of as many rows that looks for nothing"
	$(GO) test -run='^$$' -bench='^BenchmarkIngest$$' -benchtime=1x ./internal/api | sed -n 's/^Benchmark/  /p; /FAIL/p'
	echo
	echo "100,000 invoices of five lines rated, numbered and posted, beside a multi-row INSERT of the same rows, into tables that check nothing and into its own"
	scripts/with-postgres -c shared_buffers=512MB -c max_connections=300 \
		$(GO) test -run='^$$' -bench='^BenchmarkBillingRun$$' -benchtime=1x -timeout=30m ./internal/billing | sed -n 's/^Benchmark/  /p; /FAIL/p'
	echo
	echo "The hourly billing run when nothing is due, of 10,000 subscriptions with one month and with twelve that were billed (ARCADIA_BENCH_SUBSCRIPTIONS)"
	scripts/with-postgres -c shared_buffers=512MB -c max_connections=300 \
		$(GO) test -run='^$$' -bench='^BenchmarkHourlyPass$$' -benchtime=1x -timeout=60m ./internal/billing | sed -n 's/^Benchmark/  /p; /FAIL/p'
	echo
	echo "Totals of a month of 2,000 meters out of 5,000,000 events, not rolled up, and the most memory in use"
	scripts/with-postgres -c shared_buffers=512MB -c max_connections=300 \
		$(GO) test -run='^$$' -bench='^BenchmarkTotals$$' -benchtime=1x -timeout=60m ./internal/metering | sed -n 's/^Benchmark/  /p; /FAIL/p'
	echo
	echo "Lines rated, on one core; OpenMeter's engine takes 5.9 µs for four graduated tiers and 1.56 µs for a price for each unit"
	$(GO) test -cpu=1 -run='^$$' -bench='^Benchmark(GraduatedFourTiers|PerUnit)$$' ./internal/rating | sed -n 's/^Benchmark/  /p; /FAIL/p'
	echo
	echo "The demonstration, from the command to its first page, the best of three"
	$(GO) test -count=1 -run='^TestDemoColdStart$$' -v ./cmd/arcadia | sed -n 's/^ *demo_test.go:[0-9]*: /  /p; /^ok/d; /FAIL/p'
	echo
	echo "Pages, by this machine"
	$(GO) test -count=1 -run='^(TestSagaPageAmongMany|TestManyFollowOnePage|TestPageWeight)$$' -v ./internal/web | sed -n 's/^ *[a-z]*_test.go:[0-9]*: /  /p; /FAIL/p'
