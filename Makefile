# `make help` lists the targets. Set-up is scripts/setup; this file is the one
# place with the options of Go and the C compiler.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# --- what `make env` prints --------------------------------------------------

# A Go that set-up fetched (because the system's was too old) has precedence.
ifeq ($(findstring $(CURDIR)/build/go/bin:,$(PATH)),)
export PATH := $(CURDIR)/build/go/bin:$(PATH)
endif
unexport GOROOT

# Go and pip keep caches below HOME; some services and containers have none.
ifeq ($(and $(HOME),$(wildcard $(HOME)/)),)
export HOME := $(CURDIR)/build/home
endif

TFLITE := $(abspath $(or $(TFLITE_ROOT),$(CURDIR)/build/tflite))
ifdef TFLITE_ROOT
export TFLITE_ROOT := $(TFLITE)
endif

# Tests run on LiteRT where set-up fetched its library (make setup RUNTIME=litert).
LITERT := $(abspath $(or $(LITERT_ROOT),$(CURDIR)/build/litert))
ifneq ($(or $(LITERT_ROOT),$(wildcard $(LITERT)/libLiteRt.so)),)
export LITERT_ROOT := $(LITERT)
endif

# gocv with OpenCV's core, imgproc and imgcodecs alone; no VCS stamp, which
# fails where root builds in another user's clone (the version is stamped below).
TAGS := customenv,gocv_specific_modules
export GOFLAGS := $(strip $(filter-out -tags=% -buildvcs=%,$(GOFLAGS)) -tags=$(TAGS) -buildvcs=false)

# Two folders of our own: one narrows opencv.hpp (see the file in it), the other
# declares TensorFlow Lite's C API, whose library comes without headers.
export CGO_CPPFLAGS := -I$(CURDIR)/preprocess/include -I$(CURDIR)/inference/tflite/include -I/usr/include/opencv4
export CGO_CXXFLAGS := --std=c++11 -DNDEBUG -O2
# As needed: programs that use neither library do not load them. An installed
# binary finds the library beside it, one in bin/ where set-up put it.
export CGO_LDFLAGS := -Wl,--as-needed -lopencv_core -lopencv_imgproc -lopencv_imgcodecs \
	-L$(TFLITE)/lib -ltensorflowlite_c -Wl,-rpath,$$ORIGIN/../lib/edgelens:$(TFLITE)/lib

# Optional images and models for tests are in a folder beside the clone.
ifneq ($(wildcard $(CURDIR)/../shared),)
EDGELENS_TEST_SHARED ?= $(abspath $(CURDIR)/../shared)
test test-fast test-nocgo test-cgocheck test-tflite-2.20 bench fuzz fault fault-short rollout-check abuse abuse-short abuse-check ha-check check-arm64 check-armv7 docker-check deb-check: export EDGELENS_TEST_SHARED := $(EDGELENS_TEST_SHARED)
endif
ifneq ($(wildcard $(CURDIR)/../shared/models),)
export EDGELENS_MODEL_MIRROR ?= $(abspath $(CURDIR)/../shared/models)
endif

# What costs much and repeats one check (testutil.EveryNth) takes turns by the commit; ALL=1 does all at once.
TURN = $(if $(ALL),,$(shell git rev-parse HEAD 2>/dev/null | cut -c 1-6))
test: export EDGELENS_TEST_TURN = $(if $(TURN),$(shell echo $$((0x$(TURN)))))

# Without it, the race detector lets each process sleep for a second before it exits, and tests start hundreds.
export GORACE ?= atexit_sleep_ms=50

ENVIRONMENT := PATH HOME TFLITE_ROOT LITERT_ROOT GOFLAGS CGO_CPPFLAGS CGO_CXXFLAGS CGO_LDFLAGS \
	EDGELENS_TEST_SHARED EDGELENS_MODEL_MIRROR GORACE

# -----------------------------------------------------------------------------

# What `edgelens version` prints.
VERSION = $(shell scripts/version semver)
COMMIT = $(shell scripts/version commit)
DATE = $(shell scripts/version date)
STAMP = -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)
# Development tools have a module of their own, so that the service's stays small.
TOOL := go tool -modfile=tools/tools.mod
# Without go vet, of which go test would run a part, again for each set of flags, on all that is imported: make lint runs all of it.
TEST := $(TOOL) gotestsum --format pkgname --format-hide-empty-pkg -- -vet=off
# Packages that compute and start no goroutine: the race detector would find nothing there, in ten times their time. scripts/serial-packages checks it.
SERIAL := benchmarks/chart benchmarks/hostile benchmarks/report benchmarks/stats internal/config learn/gate models/quality models/rewrite models/tflitefile \
	terminal/dialect/lenient
# Of the others, those whose tests start servers or browsers come last: a failure that needs none shows in the first minutes. The longest start first, so
# that none is left to run alone at the end.
LONGEST := internal/app cmd/edgelens web worker terminal
RACE = $$(go list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... | \
	awk -v serial='$(SERIAL:%=edgelens/%)' -v longest='$(LONGEST:%=edgelens/%)' ' \
		BEGIN { split(serial, list); for (i in list) skip[list[i]]; n = split(longest, long); for (i in long) first[long[i]] } \
		$$1 in skip || $$1 in first { next } /supervisetest/ { last = last $$1 "\n"; next } { print $$1 } \
		END { for (i = 1; i <= n; i++) print long[i]; printf "%s", last }')
FUZZTIME ?= 30s
FAULT_TEST := go test -vet=off -tags=$(TAGS),fault -count=1 -v -timeout 60m ./test/fault
# Flags for the test images that are present.
TEST_IMAGES = $(addprefix --images ,$(wildcard $(addprefix $(EDGELENS_TEST_SHARED)/images/,$(1))))
GENERATE = $(TOOL) oapi-codegen -config $(1) api/openapi.yaml
PARAMETERS := api/parameters.gen.go
SCHEMA_CODE := models/tflitefile/schema/schema_generated.go

.PHONY: help setup build run test test-fast test-nocgo test-cgocheck test-tflite-2.20 lint generate generate-check contract \
	bench bench-history bench-history-short bench-history-slow bench-targets bench-peers bench-accuracy bench-requantize bench-decode bench-few-shot bench-runtime peer-setup fuzz fuzz-decoders fault fault-short rollout-check bench-boxes bench-federated abuse abuse-short abuse-check ha-check federation-check quality-model alarms-check k8s-check tidy-check screenshots sbom vulncheck gosec env \
	build-arm64 build-armv7 check-arm64 check-armv7 docker docker-check release release-check deb-check clean distclean

help: ## List the targets
	@printf 'edgelens: what is in this image?\n\n'
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: Debian packages, Go, the TensorFlow Lite library, Go modules (RUNTIME=litert: LiteRT, too)
	@scripts/setup
	@$(if $(filter-out tflite litert,$(RUNTIME)),echo 'RUNTIME is $(RUNTIME); there are tflite and litert' >&2; exit 1)
	@$(if $(filter litert,$(RUNTIME)),scripts/setup-litert)

build: setup ## Build bin/edgelens
	@[ -e bin/edgelens ] || echo '==> building bin/edgelens (the first time takes a minute or more: it compiles the OpenCV bindings)'
	@go build -ldflags '$(STAMP)' -o bin/edgelens ./cmd/edgelens

run: build ## Build, fetch the model and serve on http://127.0.0.1:8080 (more flags: ARGS="--log-level debug")
	@bin/edgelens model pull || stand_in=--recognize-allow-stand-in=true; exec bin/edgelens serve $$stand_in $(ARGS)

test-fast: setup ## Run in a minute the tests that start no server, without the race detector
	@$(TEST) -short ./...

test: setup ## Install what is missing and run every test, with the race detector where there are goroutines
	@scripts/serial-packages $(SERIAL)
	@$(TEST) $(SERIAL:%=./%)
	@$(TEST) -race $(RACE)

test-nocgo: setup ## Run the tests that need no cgo (with stubs for OpenCV and TensorFlow Lite; SHORT=1: without those that start servers or browsers; EVERY=3: a third of the packages, others with each commit)
	@CGO_ENABLED=0 $(TEST) $(if $(SHORT),-short) $$(go list ./... | scripts/every-nth $(or $(EVERY),1))

test-cgocheck: setup ## Run the cgo packages' tests with a busy garbage collector, pointer checks and Mat counts (EVERY=2: of half of them, others with each commit)
	@GOGC=1 GODEBUG=cgocheck=1 $(TEST) -tags=$(TAGS),matprofile $$(go list ./preprocess/... ./inference/... | scripts/every-nth $(or $(EVERY),1))

test-tflite-2.20: setup ## Run the runtime's tests with TensorFlow Lite 2.20 (by Maven), whose XNNPACK has other options
	@scripts/test-tflite-2.20

lint: setup ## Check with gofmt, go vet, staticcheck and shellcheck
	@scripts/lint

generate: setup ## Generate code from api/openapi.yaml, and the code that reads .tflite files from its schema
	@$(call GENERATE,api/oapi-codegen.yaml)
	@go run ./tools/parameters api/openapi.yaml >build/parameters.gen.go && cp build/parameters.gen.go $(PARAMETERS)
	@scripts/generate-schema $(SCHEMA_CODE)

generate-check: setup ## Fail if the generated code is out of date
	@sed 's#^output:.*#output: build/api.gen.go#' api/oapi-codegen.yaml >build/oapi-codegen.yaml
	@$(call GENERATE,build/oapi-codegen.yaml)
	@diff -u api/api.gen.go build/api.gen.go || \
		{ echo 'api/api.gen.go is out of date: run make generate and commit it' >&2; exit 1; }
	@go run ./tools/parameters api/openapi.yaml >build/parameters.gen.go
	@diff -u $(PARAMETERS) build/parameters.gen.go || \
		{ echo '$(PARAMETERS) is out of date: run make generate and commit it' >&2; exit 1; }
	@scripts/generate-schema build/schema_generated.go
	@diff -u $(SCHEMA_CODE) build/schema_generated.go || \
		{ echo '$(SCHEMA_CODE) is out of date: run make generate and commit it' >&2; exit 1; }

contract: build ## Check openapi.yaml, the service's conformance to it, and clients generated from it, for CONTRACT_SECONDS (300)
	@scripts/contract $(or $(CONTRACT_SECONDS),300)

bench: setup ## Run every benchmark, with allocations
	@go test -run '^$$' -bench . -benchmem ./...

bench-targets: build peer-setup ## Measure the project's target ratios; fails if one is missed
	@bin/edgelens bench targets --out dist --peer benchmarks/peers/flask $(call TEST_IMAGES,cat_720p.jpg cat_1080p.jpg)

bench-peers: build peer-setup ## Measure the reference service (Flask) beside edgelens: a table of ratios
	@bin/edgelens bench peers --out dist $(call TEST_IMAGES,cat_720p.jpg) $(ARGS)

bench-history: build ## Measure what histories of 10,000 to a million items cost (HISTORY=10000,100000: a short form); fails where a figure grows more than threefold
	@$(RUNTIME_MODELS) bin/edgelens bench history --sizes $(or $(HISTORY),10000$(comma)100000$(comma)1000000) $(ARGS)

bench-history-short: build ## The same in a minute, with 10,000 and 100,000 items (EVERY=2: only with every other commit)
	@[ -z "$$(echo all | scripts/every-nth $(or $(EVERY),1))" ] || $(RUNTIME_MODELS) bin/edgelens bench history --sizes 10000,100000 --seconds 5 --starts 2 $(ARGS)

bench-history-slow: build ## The same with the data folder on a disk limited to 20 MB/s, as root (HISTORY=1000000, RATE=20000000 bytes/s)
	@$(RUNTIME_MODELS) HISTORY='$(HISTORY)' RATE='$(RATE)' scripts/bench-history-slow $(ARGS)

comma := ,

TEST_MODELS := $(EDGELENS_TEST_SHARED)/models
LEGACY := mobilenet_v2_1.0_224_quant mobilenet_v1_0.25_128_quant

bench-requantize: setup ## Measure agreement and speed of requantized models: writes docs/experiments/requantize.md
	@[ -d '$(TEST_MODELS)' ] || { echo 'the test images and models are not at hand: set EDGELENS_TEST_SHARED (CONTRIBUTING.md)' >&2; exit 1; }
	@go run ./tools/studies/requantize $(LEGACY:%=$(TEST_MODELS)/%.tflite) --int8 $(TEST_MODELS)/tf2_mobilenet_v2_1.0_224_ptq.tflite \
		$(call TEST_IMAGES,bird.bmp cat.bmp cat_1080p.jpg cat_720p.jpg grace_hopper.bmp sunflower.bmp) \
		--floor 'mobilenet_v2_1.0_224_quant $(EDGELENS_TEST_SHARED)/images/cat.bmp 286 0.7' \
		--floor 'mobilenet_v1_0.25_128_quant $(EDGELENS_TEST_SHARED)/images/cat.bmp 283 0.25' --out docs/experiments/requantize.md

ACCURACY_MODELS := mobilenet_v2_1.0_224_int8,mobilenet_v2_1.0_224_uint8,mobilenet_v1_0.25_128_uint8
UINT8 := mobilenet_v2_1.0_224_uint8

bench-accuracy: build ## Measure how right the answers are, on labeled images; fails if a figure is missed; writes docs/accuracy.md
	@[ -d '$(EDGELENS_TEST_SHARED)/labelled' ] || { echo 'the labeled images are not at hand: set EDGELENS_TEST_SHARED (CONTRIBUTING.md)' >&2; exit 1; }
	@EDGELENS_MODELS_DIR='$(TEST_MODELS)' bin/edgelens bench accuracy '$(EDGELENS_TEST_SHARED)/labelled' --out dist \
		--frame as-is,16:9 --model $(ACCURACY_MODELS) --requantize false,true --delegate auto,none --reduce-jpeg 0,1 --precision 0.95 --write dist/threshold.yaml \
		--require 'as-is, center, stretch, 3.5' --require '16:9, center, stretch, 14' \
		--require 'as-is, sweep, center, 0' --require '16:9, sweep, center, 0' \
		--require 'as-is, $(UINT8) requantized, $(UINT8) center, +-0.5' --require '16:9, $(UINT8) requantized, $(UINT8) center, +-0.5' \
		--title 'How right the answers are' --note 'Made by `make bench-accuracy`.' \
		--note 'The images show one each of 400 ImageNet classes and come from the set that the models were trained on: with new images fewer answers are right. The differences between variants are what they are for.' \
		$(ARGS) --markdown docs/accuracy.md

bench-few-shot: setup ## Measure heads that learned from 3 and 6 images a class beside the nearest neighbor: writes docs/experiments/few-shot.md
	@[ -d '$(EDGELENS_TEST_SHARED)/labelled' ] || { echo 'the labeled images are not at hand: set EDGELENS_TEST_SHARED (CONTRIBUTING.md)' >&2; exit 1; }
	@go run ./tools/studies/fewshot --models '$(TEST_MODELS)' --labeled '$(EDGELENS_TEST_SHARED)/labelled' \
		--imprinting '$(EDGELENS_TEST_SHARED)/images/imprinting' $(ARGS) --out docs/experiments/few-shot.md

GOCV_IMAGES := distortion face face-detect fisheye_sample inpaint-src space_shuttle

bench-decode: setup ## Measure speed and effects of decoding JPEGs at a reduced size: writes docs/experiments/reduced-decode.md
	@[ -d '$(TEST_MODELS)' ] || { echo 'the test images and models are not at hand: set EDGELENS_TEST_SHARED (CONTRIBUTING.md)' >&2; exit 1; }
	@gocv="$$(go list -m -f '{{.Dir}}' gocv.io/x/gocv)/images" && \
		go run ./tools/studies/decode $(TEST_MODELS)/tf2_mobilenet_v2_1.0_224_ptq.tflite $(TEST_MODELS)/mobilenet_v2_1.0_224_quant.tflite \
		$(call TEST_IMAGES,*.bmp *.jpg imprinting/*.bmp) $(patsubst %,--images "$$gocv/%.jpg",$(GOCV_IMAGES)) --images "$$gocv/sample.webp" \
		$(ARGS) --out docs/experiments/reduced-decode.md

# Both services use the same models; Debian's Python runs the reference service.
peer-setup: build
	@scripts/install-packages python3-flask python3-gunicorn python3-pil python3-numpy
	@bin/edgelens model pull
	@bin/edgelens model pull mobilenet_v2_1.0_224_uint8

# The models come from the shared folder, or are pulled, for both programs into one folder.
RUNTIME_MODELS := EDGELENS_MODELS_DIR='$(or $(wildcard $(TEST_MODELS)),$(CURDIR)/data/models)'

bench-runtime: build ## Measure this program beside that of the last commit with TensorFlow Lite 2.9 (fetched by npm): ratios and targets
	@$(if $(wildcard $(TEST_MODELS)),,bin/edgelens model pull --data-dir data && bin/edgelens model pull --data-dir data $(UINT8))
	@$(RUNTIME_MODELS) scripts/bench-runtime bin/edgelens $(call TEST_IMAGES,cat_720p.jpg cat_1080p.jpg) \
		$(patsubst %,--photos %,$(wildcard $(EDGELENS_TEST_SHARED)/images/*.bmp $(EDGELENS_TEST_SHARED)/images/*.jpg $(EDGELENS_TEST_SHARED)/images/imprinting/*.bmp)) \
		$(patsubst %,--labeled %,$(wildcard $(EDGELENS_TEST_SHARED)/labelled)) $(ARGS)

bench-federated: setup ## Measure federated rounds in a simulation: accuracy, poisoned nodes, noise, cost; 20 seeds; writes docs/federation-figures.md (ARGS="--seeds 5" takes a quarter of the time)
	@[ -d '$(EDGELENS_TEST_SHARED)/labelled' ] || { echo 'the labeled images are not at hand: set EDGELENS_TEST_SHARED (CONTRIBUTING.md)' >&2; exit 1; }
	@go run ./tools/studies/federated --labeled '$(EDGELENS_TEST_SHARED)/labelled' $(ARGS) --out docs/federation-figures.md '$(TEST_MODELS)'

fuzz: setup ## Run every fuzz target for FUZZTIME (30s); FUZZEVERY=3: those of a third of the packages, others with each commit
	@scripts/fuzz $(FUZZTIME) $(FUZZEVERY)

fuzz-decoders: setup ## Run libFuzzer on the C code that decodes images, with sanitizers, for FUZZTIME (30s): builds libraries from Debian's sources
	@scripts/fuzz-decoders $(FUZZTIME)

fault: build ## Kill the service and its Redis and fill its disk, FAULT_ROUNDS times (200): no accepted job may be lost
	@FAULT_ROUNDS=$(or $(FAULT_ROUNDS),200) FAULT_OUTAGE=$(or $(FAULT_OUTAGE),45s) $(FAULT_TEST)

fault-short: build ## The same in about three minutes (EVERY=2: half of the tests, others with each commit)
	@FAULT_ROUNDS=$(or $(FAULT_ROUNDS),3) FAULT_OUTAGE=$(or $(FAULT_OUTAGE),5s) $(FAULT_TEST) -run \
		"^($$(go test -vet=off -tags=$(TAGS),fault -list . ./test/fault | grep ^Test | scripts/every-nth $(or $(EVERY),1) | paste -sd '|'))\$$"

rollout-check: build ## Replace nodes behind a load balancer under load, many times, and from an earlier version (FROM=COMMIT): no request may fail
	@scripts/rollout-check $(FROM)

bench-boxes: build ## Measure what 3, 10 and 30 nodes cost that share a Redis Cluster and a broker, on this machine (BOXES=3,10,30 BOXES_SECONDS=12)
	@BOXES='$(BOXES)' BOXES_SECONDS='$(BOXES_SECONDS)' go test -tags=$(TAGS),boxes -count=1 -v -timeout 60m ./test/boxes

# Inputs that a generator beside the shared images writes are sent, too.
GENERATOR := $(wildcard $(EDGELENS_TEST_SHARED)/tools/hostile_gen.py)
ABUSE = go build -o build/abuse ./test/abuse && build/abuse --program bin/edgelens --out dist $(if $(GENERATOR),--generator $(GENERATOR) --photographs $(EDGELENS_TEST_SHARED)/images)

abuse: build ## Attack the service as hostile clients and crowds do: a table of figures; fails if one is missed (ARGS="--seed 2 --only doors")
	@bin/edgelens model pull --data-dir data || true
	@$(ABUSE) $(ARGS)

abuse-short: build ## The same in some minutes, with fewer inputs and less certainty
	@bin/edgelens model pull --data-dir data || true
	@$(ABUSE) --short $(ARGS)

ha-check: build ## Check with a real Home Assistant (2025.4.4 and 2026.2.3, by pip, 490 MB each) what it makes of what is published (docs/homeassistant.md)
	@EDGELENS_TEST_HOME_ASSISTANT=1 go test -count=1 -v -timeout 60m -run HomeAssistant ./test/homeassistant

federation-check: build ## Have three nodes on this machine learn a head together, by the commands of docs/federation.md
	@scripts/federation-check

abuse-check: build ## Attack it in a minute and check what does not depend on the machine's speed: answers, ends, exit statuses
	@bin/edgelens model pull --data-dir data || true
	@$(ABUSE) --check $(ARGS)

build-arm64: setup ## Cross-build dist/edgelens-linux-arm64 for Raspberry Pi OS 64-bit (docs/raspberry-pi.md)
	@STAMP='$(STAMP)' scripts/build-arm arm64

build-armv7: setup ## The same for Raspberry Pi OS 32-bit
	@STAMP='$(STAMP)' scripts/build-arm armv7

check-arm64: build build-arm64 ## Check under qemu that it gives the same results as bin/edgelens for every test image, and its package
	@scripts/check-arm arm64

check-armv7: build build-armv7 ## The same for the 32-bit program
	@scripts/check-arm armv7

docker: ## Build the container image edgelens, by docker, podman or buildah (ARCH=arm64; docs/docker.md)
	@VERSION='$(VERSION)' COMMIT='$(COMMIT)' DATE='$(DATE)' ARCH='$(ARCH)' scripts/docker

docker-check: setup ## Build, run and test the image without a Docker engine, as root (ARCH=arm64: under qemu)
	@VERSION='$(VERSION)' COMMIT='$(COMMIT)' DATE='$(DATE)' ARCH='$(ARCH)' scripts/docker-check

# The photographs of the model card; they are not used for training.
QUALITY_PHOTOS = $(addprefix $(EDGELENS_TEST_SHARED)/images/,bird.bmp cat.bmp cat_720p.jpg cat_1080p.jpg grace_hopper.bmp \
	sunflower.bmp $(addprefix imprinting/,cat_test_0.bmp cat_train_0.bmp dog_test_0.bmp dog_train_0.bmp hotdog_test_0.bmp \
	hotdog_train_0.bmp hotdog_train_1.bmp)) \
	$(addprefix $(shell go list -m -f '{{.Dir}}' gocv.io/x/gocv)/images/,box_in_scene.png distortion.jpg face.jpg \
	fisheye_sample.jpg simple.jpg space_shuttle.jpg)

quality-model: setup ## Train and measure the built-in quality model again (half an hour; later runs only make the tables)
	@scripts/quality-model $(QUALITY_PHOTOS)

alarms-check: setup ## Check with promtool that each alert for Prometheus fires when it should, and with a real Prometheus the files in deploy (SHORT=1: without the latter, which make test does, too, once Prometheus is installed)
	@scripts/alarms-check $(if $(SHORT),--rules)

k8s-check: build ## Check the manifests and edgelens cluster with a real API server and simulated nodes (docs/kubernetes.md); builds these first
	@scripts/k8s-check

tidy-check: setup ## Fail if go.mod or go.sum is not tidy, or a module was changed after its download
	@go mod tidy -diff
	@go mod verify >/dev/null

screenshots: build ## Write the screenshots of the documentation (docs/images/page-*.webp) by the tests of the page
	@scripts/screenshots

sbom: build ## Write the modules and native libraries of the program, with versions and licenses, to dist/edgelens.cdx.json (CycloneDX)
	@mkdir -p dist
	@VERSION='$(VERSION)' scripts/sbom bin/edgelens dist/edgelens.cdx.json

release: setup ## Write tarballs, packages, container images, an SBOM and SHA256SUMS of this commit to dist/ (ARCHS="amd64 arm64", IMAGES=no; docs/install.md)
	@ARCHS='$(ARCHS)' IMAGES='$(IMAGES)' scripts/release

release-check: setup ## Fail unless two clones in different folders give the same packages for this machine
	@scripts/release-check

deb-check: setup ## Install, run, upgrade, remove and purge the package in a Debian 12 of its own with systemd, as root
	@scripts/deb-check

vulncheck: setup ## Look for known vulnerabilities in what the program calls (asks vuln.go.dev)
	@go run golang.org/x/vuln/cmd/govulncheck@v1.1.4 ./...

# Without the rules about conversions of numbers (their bounds are checked where they are read), files and programs whose names a setting or a
# caller has, modes of files that others may read, and random numbers that need not be secret.
GOSEC_WITHOUT := G103,G104,G115,G204,G301,G302,G304,G306,G404,G602,G703
gosec: setup ## Look for patterns of insecure code
	@go run github.com/securego/gosec/v2/cmd/gosec@v2.30.0 -quiet -exclude-generated -exclude-dir build -tags $(TAGS) -exclude $(GOSEC_WITHOUT) ./...

# Use: eval "$(make env)"
env: ## Print these settings for a shell to eval, so that plain go commands and editors work
	@$(foreach name,$(ENVIRONMENT),$(if $($(name)),printf "export %s='%s'\n" $(name) '$($(name))';))

clean: ## Remove build results
	@rm -rf bin dist

distclean: clean ## Also remove the files that set-up put into build/
	@rm -rf build
