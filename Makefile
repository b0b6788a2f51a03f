# Everything a developer does here is a target below; `make` alone lists them.
# Nothing but Go is needed for build, test, demo, bench, fuzz and golden.

GO       ?= go
BIN      ?= bin/slowburn
FUZZTIME ?= 30s
# RACE=1 turns the race detector on (needs a C compiler).
RACE     ?=
# PKG narrows test, bench, fuzz and golden to some packages: make test PKG=./slo/...
PKG      ?= ./...

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
BRANCH   ?= $(shell git rev-parse --abbrev-ref HEAD 2>/dev/null || echo unknown)
# The time of the commit, not of the build: the same source gives the same binary.
DATE     ?= $(shell git log -1 --format=%cI 2>/dev/null || echo unknown)

stamp   := github.com/prometheus/common/version
ldflags := -s -w -X $(stamp).Version=$(VERSION) -X $(stamp).Revision=$(REVISION) -X $(stamp).Branch=$(BRANCH) -X $(stamp).BuildDate=$(DATE)
tool    := $(GO) tool -modfile=tools/go.mod
# Not in SQLite, which is C that was translated: to watch each of its accesses takes half of the time of all tests.
race    := $(if $(RACE),-race -timeout 20m -gcflags='modernc.org/...=-race=false -d=checkptr=0')
# Else each process, of which tests start hundreds, waits a second for races before it ends.
gorace  := $(if $(RACE),GORACE=atexit_sleep_ms=10)
# As the binaries are built, which links faster, too; the race detector alone is C.
export CGO_ENABLED := $(if $(RACE),1,0)
# The modules beside the product's: real servers, and the genuine Prometheus packages.
modules := integration integration/conformance

.DEFAULT_GOAL := help
.PHONY: help build test race lives check format vet lint tidy repository vulns bench quiet stores failover attack demo pictures fuzz golden integration release reproducible image clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z][a-z-]*:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the static binaries into bin/: slowburn, and slowburn-demo beside it
	$(GO) build -trimpath -ldflags '$(ldflags)' -o $(BIN) ./cmd/slowburn
	$(GO) build -trimpath -ldflags '$(ldflags)' -o $(BIN)-demo ./cmd/slowburn-demo

# Without vet, which has a target of its own, and without symbols and debug information, which nobody reads. Tests are
# many short processes; with Go's usual GOGC they would spend a tenth of their time on freeing memory that nobody lacks.
# Twice as many packages at a time as there are cores, since some wait for a lease, a timeout or a disk; the longest
# first, so that none of them is left over for one core.
long := ./internal/engine ./internal/daemon ./internal/prom ./cmd/slowburn ./internal/store ./internal/bench ./internal/notify/slack ./internal/web

test: ## run all tests of the product (RACE=1: with the race detector)
	$(gorace) GOGC=off GOMEMLIMIT=800MiB $(GO) test -vet=off -ldflags=-s -p $$((2 * $$(getconf _NPROCESSORS_ONLN))) $(race) $(if $(filter ./...,$(PKG)),$(long)) $(PKG)

# The core starts no goroutine (tools/repository_test.go): it is watched in the tests of those that call it.
core := slo budget alerting postmortem internal/report internal/register internal/api internal/counting internal/crontime \
	internal/figures internal/incidents internal/markdown internal/printable internal/ranking internal/sentences internal/strictyaml \
	internal/schema internal/selectors
empty :=

race: ## all tests but those of the core, with the race detector (make test RACE=1: of all packages)
	$(MAKE) test RACE=1 PKG="$$($(GO) list $(long) ./... | grep -vE '^[^/]+/[^/]+/[^/]+/($(subst $(empty) $(empty),|,$(strip $(core))))(/|$$)' | tr '\n' ' ')"

# How many random lives a package is tried on; `make test` tries a few, or none of what takes half a minute. engine, prom:
# from 6 and from 2 on the long tables are tried whole.
lives := alerting=30 cmd/slowburn=200 cmd/slowburn-demo=2 internal/bench=5 internal/counting=1500 internal/engine=6 \
	internal/notify/slack=120 internal/outbox=500 internal/prom=2 internal/rules=4 internal/schema=10000 internal/store=200
# The tests of a folder that read -lives, as a pattern; the others have run in `make test`.
living = awk '/^func / {name = $$2 ~ /^Test/ ? $$2 : ""; sub(/\(.*/, "", name)} name && /\*lives|sampled\(/ {print "^" name "$$"}' $(1)/*_test.go | sort -u | paste -sd'|' -

lives: ## the random lives that make test cuts short, at length
	@for one in $(lives); do \
		tests="$$($(call living,$${one%=*}))"; echo "$(GO) test ./$${one%=*} -run '$$tests' -lives $${one#*=}"; \
		$(GO) test ./$${one%=*} -vet=off -run "$$tests" -timeout 20m -lives $${one#*=} || failed=1; \
	done; test -z "$$failed"

check: format tidy vet lint repository vulns test lives race ## everything a change must pass before it is merged

format: ## fail if a file is not formatted, and say which
	@files="$$($(tool) gofumpt -l .)"; \
	if [ -n "$$files" ]; then echo "not formatted (run: $(tool) gofumpt -w FILE):"; echo "$$files"; exit 1; fi
	@echo "format: ok"

vet: ## go vet in every module
	@for dir in . $(modules); do echo "vet $$dir"; $(GO) -C $$dir vet ./... || exit 1; done

lint: ## staticcheck in every module
	@for dir in . $(modules); do echo "staticcheck $$dir"; (cd $$dir && $(GO) tool -modfile=$(CURDIR)/tools/go.mod staticcheck ./...) || exit 1; done

tidy: ## fail if a go.mod or go.sum is not tidy, and show what would change
	@for dir in . tools $(modules); do $(GO) -C $$dir mod tidy -diff || exit 1; done
	@echo "tidy: ok"

repository: ## the rules of the house, as tests over the source: comments, imports, lengths
	$(GO) -C tools test -count=1 ./...

vulns: ## look for known vulnerabilities that the code can reach (skipped when the database is out of reach)
	@tools/vulns $(GO)

bench: ## measure the figures of docs/benchmarks.md, some ten minutes (PKG=./slo/file: all benchmarks of a package)
ifeq ($(PKG),./...)
	$(GO) test ./internal/bench -run '^$$' -bench 'Accuracy|SamplesRead|History|LargeMetric' -benchtime 1x -timeout 40m
	$(GO) test ./internal/bench -run '^$$' -bench 'Incidents' -benchtime 5x -timeout 20m
	$(GO) test ./internal/bench -run '^$$' -bench 'ActOnAThread' -benchtime 3x -timeout 20m
	$(GO) test ./internal/bench -run '^$$' -bench 'Tick|Ask|Report|Say' -benchtime 20x -timeout 10m
	$(GO) test ./internal/bench -run 'TestTheWorkbookThroughPrometheus|TestLiveIsABacktest' -lives 100 -v -timeout 10m
	$(GO) test ./internal/bench -run 'TestForecastsComeTrue' -lives 100 -v
	$(GO) test ./cmd/slowburn ./internal/counting -run 'TestScenarios$$' -v
	$(GO) test ./alerting -run 'TestTheCutLaw|TestIncidentsAreWellFormed' -lives 200 -v -timeout 20m
	$(GO) test ./internal/engine -run 'TestLiveEqualsBacktestOnDataAsTheyCome' -lives 200 -v -timeout 20m
	$(GO) test ./internal/rules -run 'TestLatency' -lives 60 -v -timeout 10m
	$(GO) test ./alerting -run '^$$' -bench 'AdvanceMonth'
	$(GO) test ./internal/store -run '^$$' -bench 'Commit/SQLite' -benchtime 100x
	$(GO) test ./internal/outbox -run 'TestUnderLoad|TestPumpsThatShareAStore|TestTheJudge' -lives 10000 -v -timeout 20m
	$(GO) test ./internal/notify/slack -run '^$$' -bench 'Storm' -benchtime 1x
	$(GO) -C integration test -run '^$$' -bench . -benchtime 7x
	$(GO) -C integration/conformance test -run '^$$' -bench 'History|SideBySide' -benchtime 1x -timeout 30m
else
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)
endif

quiet: ## count false calls of quiet services, for docs/benchmarks.md: 48,000 simulated months, half an hour of one core
	$(GO) test ./internal/bench -run Quiet -bench Quiet -benchtime 1x -lives 200 -v -timeout 3h

stores: ## measure both databases with 10,000 SLOs, for docs/benchmarks.md: some five minutes (needs a PostgreSQL)
	$(GO) test ./internal/bench -run '^$$' -bench Stores -benchtime 10x -timeout 30m
	$(GO) test ./internal/bench -run '^$$' -bench TakeOver -benchtime 5x -timeout 30m
	$(GO) test ./internal/store -run '^$$' -bench 'Commit$$|Send' -benchtime 100x
	$(GO) test ./internal/store -run '^$$' -bench 'CommitStorm' -benchtime 5x
	$(GO) test ./internal/store -run '^$$' -bench 'Fold' -benchtime 2x -timeout 30m

failover: ## let two processes on a PostgreSQL take over from each other while they page, for docs/benchmarks.md: some six minutes
	$(GO) test ./internal/store -run 'TestRandomFaultsOverProcesses' -lives 200 -v -timeout 1h
	$(GO) test ./internal/store -run 'TestAPageOutlivesItsLeader' -lives 5000 -v -timeout 1h

demo: ## play the whole story on this machine, with nothing installed
	$(GO) run ./cmd/slowburn-demo

pictures: build ## take the pictures of README.md from the live demo (needs chromium)
	mkdir -p docs/pictures
	tools/pictures $(BIN)-demo docs/pictures

# URL=http://127.0.0.1:7569 attacks a daemon that runs, too, and changes nothing there; ARGS are more flags.
attack: build ## attack a running daemon through every door, and say what became of each probe (URL=…: yours)
	$(GO) run ./internal/attack -binary $(BIN) $(if $(URL),-url $(URL)) $(ARGS)

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@GO='$(GO)' FUZZTIME='$(FUZZTIME)' tools/fuzz $(PKG)

golden: ## rewrite the golden files from what the code does now, and show the difference
	UPDATE=1 $(GO) test $(PKG) || true
	@git --no-pager diff --stat -- '*testdata*'
	@git --no-pager diff -- '*testdata*'
	@git --no-pager ls-files --others --exclude-standard -- '*testdata*' | sed 's/^/new: /'

# Side by side, and more of them than there are cores: most of them wait, for minutes of the wall clock.
integration: ## test against real servers and a browser, as far as they are installed
	@for dir in $(modules); do $(gorace) $(GO) -C $$dir test $(race) -parallel 12 ./... || exit 1; done

# What is published of a version; PLATFORMS=linux/amd64 makes less. The same commit gives the same bytes, so the branch
# is that of a checkout of a tag, which is none.
PLATFORMS ?= linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
DIST      ?= dist

release: ## make what is published into dist/: archives, SBOMs, an image as an OCI layout, checksums
	rm -rf $(DIST)
	for p in $(PLATFORMS); do \
		GOOS=$${p%/*} GOARCH=$${p#*/} $(MAKE) --no-print-directory build BRANCH=HEAD BIN=bin/release/$$p/slowburn || exit 1; \
	done
	$(GO) -C tools build -o ../bin/release/release ./release
	bin/release/release $(DIST) $(VERSION) $$(git log -1 --format=%ct) $(foreach p,$(PLATFORMS),$(p)=bin/release/$(p))

reproducible: ## build what is released of this commit twice, from the beginning and in two folders, and compare every byte
	@GO='$(GO)' PLATFORMS='$(PLATFORMS)' tools/reproducible $(MAKE)

image: ## build the container image (needs docker or a work-alike; make release needs neither)
	docker build -f deploy/Dockerfile --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION) --build-arg BRANCH=$(BRANCH) --build-arg DATE=$(DATE) -t slowburn:$(VERSION) .

clean: ## remove what the other targets made
	rm -rf bin $(DIST)
	$(GO) clean -testcache
